from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from stability.runner import memory
from stability.runner.memory import keep_freed_memory, memory_shortage

FAULTS = """
import resource, sys, torch
from stability.runner import memory
from stability.runner.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def use():
    for _ in range(20):
        torch.ones(2_000_000)
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not keep_freed_memory(), reason="not glibc")
def test_freed_memory_is_not_faulted_in_again() -> None:
    assert faults("keep") < 100


def faults(mode: str) -> int:
    return int(subprocess.check_output([sys.executable, "-c", FAULTS, mode]))


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert not keep_freed_memory()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "not enough memory"),
        (MemoryError("Unable to allocate\n 8.00 GiB"), "not enough memory: Unable to allocate 8.00 GiB"),
        (
            RuntimeError("[x] err == 0. DefaultCPUAllocator: can't allocate memory: 4 bytes"),
            "not enough memory: can't allocate memory: 4 bytes",
        ),
        (torch.OutOfMemoryError("CUDA out of memory. Tried"), "not enough memory: CUDA out of memory. Tried"),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED"), "not enough memory: CUBLAS_STATUS_ALLOC_FAILED"),
        (RuntimeError("MPS backend out of memory (MPS"), "not enough memory: MPS backend out of memory (MPS"),
        (RuntimeError("std::bad_alloc"), "not enough memory: std::bad_alloc"),
        (RuntimeError("could not create a primitive"), "not enough memory: could not create a primitive"),
        (RuntimeError("shapes cannot be multiplied"), None),
        (ValueError("out of memory"), None),
    ],
)
def test_a_shortage_is_told_from_other_errors(error: Exception, words: str | None) -> None:
    told = memory_shortage(error)
    assert told == words
    assert told is None or (len(told) <= 160 and "\n" not in told)


def test_what_torch_and_numpy_raise_is_a_shortage() -> None:
    code = (
        "import resource, numpy, torch\n"
        "from stability.runner.memory import memory_shortage\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))\n"
        "for make in (torch.empty, numpy.ones, bytearray):\n"
        "    try:\n"
        "        make(2**32)\n"
        "    except Exception as error:\n"
        "        print(memory_shortage(error))\n"
    )
    told = subprocess.check_output([sys.executable, "-c", code], text=True).splitlines()
    assert len(told) == 3
    assert all(line.startswith("not enough memory") for line in told)

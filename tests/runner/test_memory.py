from __future__ import annotations

import subprocess
import sys

import pytest

from stability.runner import memory
from stability.runner.memory import keep_freed_memory

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

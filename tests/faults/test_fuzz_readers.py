"""Every reader of a results folder, given flipped and truncated bytes: it reads, or refuses in one line."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

WORKER = Path(__file__).with_name("fuzz_worker.py")


def _worker() -> ModuleType:
    """The script as a module, to ask it for its readers and its mutations."""
    spec = importlib.util.spec_from_file_location("fuzz_worker", WORKER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


worker = _worker()
READERS = list(worker.READERS)
GROUPS = 6
"""Readers that one process is given in turn: starting one takes longer than most readers."""
WHOLE_STUDY = "study with"
SLOW = {"study.db": 150, "classifier": 150}
"""A quarter of a second a case, where others take milliseconds."""


def n_cases(reader: str, full: bool) -> int:
    cases = 40 if reader.startswith(WHOLE_STUDY) else SLOW.get(reader, 400)
    return cases if full else cases // 10


@pytest.mark.slow
@pytest.mark.parametrize("readers", [READERS[start::GROUPS] for start in range(GROUPS)], ids=" ".join)
def test_a_damaged_file_is_read_or_refused(readers: list[str], full: bool) -> None:
    """A crash or a hang ends the worker, whose last line then names the case; `mutate` makes it again."""
    cases = {reader: n_cases(reader, full) for reader in readers}
    answer = subprocess.run(
        [sys.executable, str(WORKER), *(text for pair in cases.items() for text in map(str, pair))],
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )
    lines = answer.stdout.splitlines()
    assert answer.returncode == 0, f"{lines[-1:]} {answer.stderr[-1500:]}"
    starts = [lines.index(f"{reader}: whole read") for reader in readers]
    for reader, first, last in zip(readers, starts, [*starts[1:], len(lines)], strict=True):
        check_said(reader, lines[first + 1 : last], cases[reader])


def check_said(reader: str, said: list[str], cases: int) -> None:
    assert [line for line in said if " RAISED " in line] == []
    kinds = Counter(line.split()[1] for line in said)
    assert kinds["read"] + kinds["refused"] == cases
    if not reader.startswith(WHOLE_STUDY):  # there damage may well be in what is not read, or only noted
        changed = cases - kinds["unchanged"]
        assert kinds["refused"] > 0 or reader.startswith("environment")
        assert changed > 0.8 * cases


def test_the_mutations_are_many_and_the_same_every_time() -> None:
    content = bytes(range(256)) * 20
    made = [worker.mutate(content, random.Random(f"x {case}")) for case in range(200)]
    assert made == [worker.mutate(content, random.Random(f"x {case}")) for case in range(200)]
    assert len({bytes(one) for one in made}) > 190
    assert min(map(len, made)) < 2000
    assert sum(len(one) == len(content) for one in made) > 50


def test_every_file_of_a_results_folder_has_a_reader(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    worker.make_folder(folder)
    written = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    kinds = {(path.name if path.suffix != ".png" else path.parent.name, path.suffix) for path in written}
    read = {reader.file for reader in worker.READERS.values()}
    names = {path.name for path in read} | {"filmstrips", "latent", ".lock"}
    assert {name for name, suffix in kinds if name not in names and suffix != ".safetensors"} == set()
    assert {path.suffix for path in written} <= {path.suffix for path in read} | {""}

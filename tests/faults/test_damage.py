"""Every file of a results folder really damaged, at random places, and what the command line makes of it.

The study is really trained: a finished one, and one with a cohort under way, both with weights kept.
"""

from __future__ import annotations

import random
import re
import shutil
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from small_studies import SMALL, StopAfter, make_small, result_bytes, run_small, small_spec

from stability.cli.app import main

KEPT = SMALL.replace("every: 10", "keep_weights: true, every: 10")
COHORT = "cohorts/c0000"
RUN = "p000-minimax-s0"
FILES = (
    "plan.json", "study.yaml", "environment.json", "study.db",
    f"{COHORT}/runs.parquet", f"{COHORT}/records.parquet", f"{COHORT}/evaluations.parquet",
    f"{COHORT}/events.parquet", f"{COHORT}/digests.json", f"{COHORT}/filmstrips/{RUN}.png",
    f"{COHORT}/latent/{RUN}.png", f"{COHORT}/weights/{RUN}.safetensors",
    "checkpoints/c0001.safetensors",
    "labels/study.yaml", "labels/c0000/runs.parquet", "labels/c0000/digests.json",
)  # fmt: skip
"""One of every kind; the last ones are of a relabelling that was killed before it moved them."""
TOLERANT = {"study.db": "free space, and what Optuna keeps beside the trials"}
"""What may change without a fault being found, because it says nothing that is read."""
UNREPORTED = {file for file in FILES if file.endswith((".parquet", ".yaml", "digests.json"))} | {"plan.json"}
"""Without them there are no numbers that can be believed."""


@dataclass(frozen=True)
class Answer:
    code: int | str | None
    out: str
    err: str


Command = Callable[..., Answer]


@pytest.fixture(scope="module", autouse=True)
def _small_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch, tmp_path_factory.mktemp("cache"))
        yield


@pytest.fixture(scope="module")
def finished(_small_world: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "small"
    assert run_small(small_spec(text=KEPT), folder)
    return folder


@pytest.fixture(scope="module")
def half(_small_world: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cohort finished, one at its second visit's step."""
    folder = tmp_path_factory.mktemp("half") / "small"
    assert not run_small(small_spec(text=KEPT), folder, stop=StopAfter(7))
    return folder


@pytest.fixture
def stability(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    Path("mine.yaml").write_text(KEPT)

    def call(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["stability", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Answer(ended.value.code, *capsys.readouterr())

    return call


def damaged(content: bytes, kind: str, chance: random.Random) -> bytes:
    if kind == "empty":
        return b""
    if kind == "truncate":
        return content[: chance.randrange(1, len(content))]
    changed, bit = bytearray(content), chance.randrange(8 * len(content))
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def laid(file: str, finished: Path, half: Path) -> Path:
    """A copy that has the file, in the current folder."""
    folder = Path(shutil.copytree(half if file.startswith("checkpoints") else finished, "r"))
    if file.startswith("labels"):
        pending = folder / file
        pending.parent.mkdir(parents=True)
        place = file.removeprefix("labels/")
        shutil.move(folder / (place if place == "study.yaml" else f"cohorts/{place}"), pending)
    return folder


def one_line(answer: Answer) -> None:
    assert "Traceback" not in answer.err + answer.out
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert answer.err.startswith("error: r/")


def ran(stability: Command) -> Answer:
    return stability("run", "mine.yaml", "--out", "r", "--device", "cpu")


@pytest.mark.parametrize("file", FILES)
def test_damage_is_named_never_believed_and_mended(
    stability: Command, finished: Path, half: Path, file: str
) -> None:
    """In every way in turn; the last one, which differs from file to file, is mended."""
    folder = laid(file, finished, half)
    whole, chance = (folder / file).read_bytes(), random.Random(zlib.crc32(file.encode()))
    for kind in chance.sample(("flip", "flip", "truncate", "empty"), 4):
        content = damaged(whole, kind, chance)
        (folder / file).write_bytes(content)
        is_named(stability("status", "r", "--check"), file, kind)
        assert (folder / file).read_bytes() == content
    read_or_refused(stability, file)
    went_on_or_stopped(stability, file)
    if file.endswith("study.yaml"):
        shutil.rmtree("r/labels", ignore_errors=True)
        Path("r/study.yaml").write_text(KEPT)  # the study's own file, put back by hand
    mended = stability("status", "r", "--repair")
    assert (mended.code, mended.err) == (0, ""), mended.out
    assert ran(stability).code == 0
    assert stability("status", "r", "--check").code == 0
    assert measured(Path("r")) == measured(finished)


def is_named(told: Answer, file: str, kind: str) -> None:
    if told.code == 0:
        assert (kind, file in TOLERANT) == ("flip", True)
        return
    assert (told.code, told.err) == (1, "")
    named = re.escape(file.removeprefix("labels/"))
    assert re.search(rf"^(labels/|cohorts/)?{named}: ", told.out, re.MULTILINE), told.out
    assert "next      stability status r --repair" in told.out or file.endswith("study.yaml")


def read_or_refused(stability: Command, file: str) -> None:
    """What only reads: of damaged numbers nothing is told but that they are damaged."""
    status, show = stability("status", "r"), stability("show", "r", RUN, "--out", "shown")
    for answer in (status, show):
        if answer.code != 0:
            one_line(answer)
    if "filmstrips" in file:
        assert show.code == 2
    elif "weights" in file:
        assert "no latent views: r/" in show.out
    if file in UNREPORTED:  # the others are of no number in it, and it takes seconds
        report = stability("report", "r", "--format", "json", "--out", "damaged.json")
        one_line(report)
        assert report.err.endswith("; `stability status r --check` says more\n")
        assert not Path("damaged.json").exists()


def went_on_or_stopped(stability: Command, file: str) -> None:
    answer = ran(stability)
    if answer.code == 0:
        assert file not in ("plan.json", "study.yaml", "labels/study.yaml")
        if file.startswith("checkpoints"):
            assert re.search(r"starting c0001 over: r/checkpoints/c0001\.safetensors: ", answer.out)
        return
    one_line(answer)
    assert answer.err.endswith("; `stability status r --check` says more\n")


def measured(folder: Path) -> dict[str, bytes]:
    """What was measured, and the study file and pictures, as far as they are in force."""
    kept = result_bytes(folder)
    return {name: content for name, content in kept.items() if not name.startswith("damaged/")}


def test_no_flipped_bit_of_a_table_or_picture_reaches_a_report(
    stability: Command, finished: Path, tmp_path: Path, full: bool
) -> None:
    """Also where neither Parquet's checksums nor PIL would notice, the digests do."""
    from stability.errors import StabilityError
    from stability.store import Store, read_filmstrip
    from stability.store.columns import record_columns

    folder = Path(shutil.copytree(finished, "r"))
    store, chance = Store.open(folder), random.Random(3)
    readers: dict[str, Callable[[Path], object]] = {
        "runs.parquet": lambda path: store.table("c0000", "runs"),
        "records.parquet": lambda path: record_columns(store, "c0000", ["run", "step", "loss_d"]),
        f"filmstrips/{RUN}.png": read_filmstrip,
    }
    for name, read in readers.items():
        path = folder / COHORT / name
        whole = path.read_bytes()
        read(path)
        for bit in chance.sample(range(8 * len(whole)), 300 if full else 60):
            changed = bytearray(whole)
            changed[bit // 8] ^= 1 << bit % 8
            path.write_bytes(changed)
            with pytest.raises(StabilityError):
                read(path)
        path.write_bytes(whole)

from __future__ import annotations

import itertools
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import pytest
from disks import Answer, Disk, own_mounts, small_disk
from small_studies import result_bytes

STUDY = """\
name: small
space:
  loss: [minimax, hinge]
fixed: {width: 8, batch_size: 16, latent_dim: 8, lr: 1.0e-3}
design: {points: 1, seeds: 2, sampler: random}
training: {steps: 8, cohort_size: 2}
recording: {every: 4, evaluate_every: 4, samples: 32, final_samples: 32, keep_weights: true}
"""
"""Four runs in two cohorts, each of which is looked at and may be left twice: at steps 4 and 8."""
RUN = ("run", "study.yaml", "--out", "results", "--threads", "1", "--workers", "1")
FULL, LARGE, READ_ONLY = "No space left on device", "File too large", "Read-only file system"
DENIED, GONE = "Permission denied", "No such file or directory"
REPLACED = "was removed or replaced while it was written to"
MOUNTS = own_mounts()
needs_mounts = pytest.mark.skipif(not MOUNTS, reason="nobody here may mount a small disk")


@pytest.fixture(scope="module")
def only_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    with small_disk(tmp_path_factory.mktemp("disk"), MOUNTS) as disk:
        yield disk


@dataclass(frozen=True)
class Whole:
    """A study that nothing has disturbed."""

    results: dict[str, bytes]
    pages: dict[str, int]
    """Of each file, in the order in which they were written."""


@pytest.fixture(scope="module")
def whole(only_disk: Disk) -> Whole:
    (only_disk.root / "study.yaml").write_text(STUDY)
    finishes(only_disk.stability(*RUN))
    files = [path for path in only_disk.results.rglob("*") if path.is_file()]
    return Whole(
        result_bytes(only_disk.results),
        {
            str(path.relative_to(only_disk.results)): -(-path.stat().st_size // 4096)
            for path in sorted(files, key=lambda path: path.stat().st_ino)
        },
    )


@pytest.fixture
def disk(only_disk: Disk, whole: Whole) -> Iterator[Disk]:
    """With nothing but the study file on it, and room for everything."""
    only_disk.empty()
    (only_disk.root / "study.yaml").write_text(STUDY)
    yield only_disk
    if MOUNTS:
        only_disk.leave()


@pytest.fixture
def finished(disk: Disk) -> Disk:
    finishes(disk.stability(*RUN))
    return disk


def finishes(answer: Answer) -> None:
    assert (answer.code, answer.err, answer.workers) == (0, "", 0)


def refused(answer: Answer, *message: str) -> None:
    """In exactly one line, which begins with the path and ends with the reason; no worker is left."""
    assert answer.err.startswith(f"error: {message[0]}"), answer.err
    assert answer.err.endswith(f"{message[-1]}\n"), answer.err
    assert (answer.err.count("\n"), answer.code, answer.workers) == (1, 2, 0)
    assert "Traceback" not in answer.out


def nothing_is_half(disk: Disk, name: str = "results") -> None:
    """No temporary name is left, and all that can be found is what has not been written yet."""
    assert not list((disk.root / name).rglob(".*.tmp-*"))
    checked = disk.stability("status", name, "--check", "--json")
    if checked.code == 2:
        assert not (disk.root / name / "plan.json").exists()
        assert not list((disk.root / name).glob("cohorts/*"))
    else:
        faults = {fault["file"] for fault in json.loads(checked.out)["faults"]}
        assert faults <= {name for name in ("plan.json", "study.db") if not (disk.results / name).exists()}


def goes_on(disk: Disk, whole: Whole) -> None:
    """The same command finishes the study, and everything is as if nothing had been."""
    finishes(disk.stability(*RUN))
    assert result_bytes(disk.results) == whole.results
    assert disk.stability("status", "results", "--check").code == 0


# --- full while a study runs ------------------------------------------------------------------------------

SETUP = (".lock", "study.yaml", "environment.json", "plan.json")
TABLES = ("runs", "records", "evaluations", "events")
COHORT = (
    *(f"{table}.parquet" for table in TABLES),
    "filmstrips/p000-minimax-s0.png",
    "weights/p000-minimax-s1.safetensors",
    "latent/p000-minimax-s1.png",
    "digests.json",
)
FILES = (*SETUP, *(f"cohorts/c0000/{name}" for name in COHORT), "cohorts/c0001/events.parquet", "study.db")
SOME = {"plan.json", "cohorts/c0000/records.parquet", "cohorts/c0000/digests.json", "study.db"}
"""One of each way in which files are written."""
ALL = pytest.mark.full


@needs_mounts
@pytest.mark.parametrize("file", [pytest.param(name, marks=() if name in SOME else ALL) for name in FILES])
def test_a_page_is_missing_for_any_file(disk: Disk, whole: Whole, file: str) -> None:
    first = {name: whole.pages[name] for name in (*SETUP, *whole.pages)}  # the environment is written twice
    before = itertools.takewhile(lambda name: name != file, first)
    disk.leave(pages=sum(first[name] for name in before) + first[file] - 1)
    part = "/".join(Path(file).parts[:2])
    refused(disk.stability(*RUN), f"results/{part}: {FULL}")
    disk.leave()
    nothing_is_half(disk)
    goes_on(disk, whole)


@needs_mounts
@pytest.mark.parametrize(
    ("inodes", "place"), [(0, ""), pytest.param(1, "/.lock", marks=ALL), (4, ""), (6, "/plan.json")]
)
def test_no_name_is_free_for_the_first_files_and_folders(
    disk: Disk, whole: Whole, inodes: int, place: str
) -> None:
    disk.leave(inodes=inodes)
    refused(disk.stability(*RUN), f"results{place}: {FULL}")
    disk.leave()
    nothing_is_half(disk)
    goes_on(disk, whole)


@needs_mounts
def test_no_name_is_free_for_parts_of_a_cohort(disk: Disk, whole: Whole, full: bool) -> None:
    """It takes 15: itself, its three folders and their files; and the log has one."""
    disk.leave(inodes=7)
    refused(disk.stability(*RUN), f"results/environment.json: {FULL}")
    for inodes in (2, 3, 5, 7, 8, 11, 14) if full else (2, 7, 14):
        disk.leave(inodes=inodes)
        refused(disk.stability(*RUN), f"results/cohorts/c0000: {FULL}")
    disk.leave()
    nothing_is_half(disk)
    goes_on(disk, whole)


@needs_mounts
def test_a_checkpoint_that_finds_no_room_leaves_the_last_one(disk: Disk, whole: Whole) -> None:
    checkpoint = disk.results / "checkpoints" / "c0000.safetensors"
    refused(
        disk.stability(*RUN, checkpoints=True, action="remove cohorts", when=("trained", 2)), "results", GONE
    )
    pages = -(-checkpoint.stat().st_size // 4096)
    disk.empty()
    (disk.root / "study.yaml").write_text(STUDY)
    disk.leave(pages=len(SETUP) + pages + pages // 2)
    refused(disk.stability(*RUN, checkpoints=True), f"results/checkpoints/c0000.safetensors: {FULL}")
    disk.leave()
    nothing_is_half(disk)
    answer = disk.stability(*RUN)
    assert "going on with c0000 at step 4\n" in answer.out
    finishes(answer)
    goes_on(disk, whole)


@pytest.mark.parametrize(
    "largest", [0, pytest.param(500, marks=ALL), 9000, pytest.param(25_000, marks=ALL), 100_000]
)
def test_a_limit_to_the_size_of_files(disk: Disk, whole: Whole, largest: int) -> None:
    refused(disk.stability(*RUN, largest_file=largest), "results/", f": {LARGE}")
    nothing_is_half(disk)
    goes_on(disk, whole)


def test_a_disk_that_notices_late_that_it_is_full(disk: Disk, whole: Whole, full: bool) -> None:
    """Every flush and every rename fails once (or every fifth), as on a network's disk with a quota."""
    for k in itertools.count(1, 1 if full else 5):
        answer = disk.stability(*RUN, fail_at=k)
        if answer.code == 0:
            break
        refused(answer, "results", FULL)
        assert not list(disk.results.rglob(".*.tmp-*"))
    assert k > len(COHORT)
    nothing_is_half(disk)
    goes_on(disk, whole)


# --- full while something else is written -----------------------------------------------------------------


def contents(folder: Path) -> dict[str, bytes]:
    """All but who was here last, and the log, which its own study goes on writing wherever it is."""
    unlike = (".lock", "run.log")
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in unlike)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@needs_mounts
@pytest.mark.parametrize("room", [{"pages": 3}, {"inodes": 1}])
def test_new_labels_hold_all_or_not_at_all(finished: Disk, room: dict[str, int]) -> None:
    before = contents(finished.results)
    finished.leave(**room)
    command = ("relabel", "results", "--set", "outcomes.persist=2")
    refused(finished.stability(*command), f"results/labels: {FULL}")
    assert contents(finished.results) == before
    finished.leave()
    finishes(finished.stability(*command))
    assert contents(finished.results) != before
    assert finished.stability("status", "results", "--check").code == 0


@needs_mounts
def test_a_longer_study_is_planned_all_or_not_at_all(finished: Disk, whole: Whole) -> None:
    before = contents(finished.results)
    (finished.root / "study.yaml").write_text(
        STUDY.replace("[minimax, hinge]", "[minimax, hinge, wasserstein]")
    )
    for pages in (0, 2):
        finished.leave(pages=pages)
        refused(finished.stability(*RUN), f"results/labels: {FULL}")
        assert contents(finished.results) == before
    finished.leave()
    finishes(finished.stability(*RUN))
    assert (
        result_bytes(finished.results).items()
        >= {name: content for name, content in whole.results.items() if name != "plan.json"}.items()
    )


@needs_mounts
def test_a_repair_is_made_all_or_not_at_all(finished: Disk, whole: Whole) -> None:
    repair = ("status", "results", "--repair")
    (finished.results / "study.db").unlink()
    finished.leave(pages=3)
    refused(finished.stability(*repair), f"results/study.db: {FULL}")
    damaged = finished.results / "cohorts" / "c0000" / "records.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    finished.leave(inodes=0)
    refused(finished.stability(*repair), f"results/cohorts/c0000: {FULL}")
    finished.leave()
    assert "moved cohorts/c0000 to damaged/c0000-1\n" in finished.stability(*repair).out
    shutil.rmtree(finished.results / "damaged")
    nothing_is_half(finished)
    goes_on(finished, whole)


@needs_mounts
@pytest.mark.parametrize("kind", ["html", "json", "csv"])
def test_an_older_report_stays_until_the_new_one_is_whole(finished: Disk, kind: str) -> None:
    name = "tables/counts_by_loss.csv" if kind == "csv" else f"page.{kind}"
    report = ("report", "results", "--format", kind, "--out", name.partition("/")[0])
    older = finished.root / name
    older.parent.mkdir(exist_ok=True)
    older.write_text("older")
    finished.leave(pages=0)
    refused(finished.stability(*report), f"{name}: cannot be written ({FULL})")
    assert older.read_text() == "older"
    finished.leave()
    assert finished.stability(*report).code == 0
    assert len(older.read_text()) > 50
    assert not list(older.parent.glob(".*tmp*"))


@needs_mounts
def test_pictures_and_a_first_study_file(finished: Disk) -> None:
    show = ("show", "results", "p000-hinge-s0", "--out", "pictures")
    finished.leave(inodes=1)
    refused(finished.stability(*show), f"pictures/p000-hinge-s0-film.gif: {FULL}")
    refused(finished.stability("init", "new/first.yaml"), f"new/first.yaml: cannot be written: {GONE}")
    finished.leave(pages=0)
    refused(finished.stability("init", "first.yaml"), f"first.yaml: cannot be written: {FULL}")
    assert not (finished.root / "first.yaml").exists()
    finished.leave(inodes=1)
    refused(finished.stability(*show), f"pictures/p000-hinge-latent.png: {FULL}")
    assert [path.name for path in (finished.root / "pictures").iterdir()] == ["p000-hinge-s0-film.gif"]


@pytest.mark.parametrize("command", [RUN, ("status", "results"), ("--help",)])
def test_what_is_printed_cannot_be_kept(disk: Disk, whole: Whole, command: tuple[str, ...]) -> None:
    (disk.root / "study.yaml").write_text(STUDY)
    if command[0] == "status":
        finishes(disk.stability(*RUN))
    refused(disk.stability(*command, output="/dev/full"), f"standard output: {FULL}")
    goes_on(disk, whole)


@needs_mounts
def test_a_cache_that_cannot_be_kept_costs_a_line(disk: Disk, tmp_path: Path) -> None:
    cache = {"XDG_CACHE_HOME": str(disk.root).partition("/root")[2] + "/cache"}
    elsewhere = (*RUN[:3], str(tmp_path / "results"), *RUN[4:])
    disk.leave(pages=0)
    answer = disk.stability(*elsewhere, environment=cache)
    finishes(answer)
    (note,) = (line for line in answer.out.splitlines() if "cannot be kept" in line)
    assert note.endswith(f"cannot be kept for the next time ({FULL}), which costs only time")
    assert not list((disk.root / "cache" / "stability").iterdir())


# --- removed, moved or replaced ---------------------------------------------------------------------------

MOMENTS = [("trained", 1), ("finished", 1), ("finished", 2)]
"""In the middle of a cohort, between two, and before study.db."""


@pytest.mark.parametrize(
    ("action", "moment"),
    [
        *itertools.product(("remove",), MOMENTS),
        ("move", MOMENTS[1]),
        ("replace", MOMENTS[0]),
        *(pytest.param("move", moment, marks=ALL) for moment in MOMENTS[::2]),
        pytest.param("replace", MOMENTS[1], marks=ALL),
    ],
)
def test_the_results_are_taken_away(disk: Disk, whole: Whole, action: str, moment: tuple[str, int]) -> None:
    refused(disk.stability(*RUN, action=action, when=moment), "results", f": {REPLACED}")
    left = {path.name for path in disk.root.iterdir()} - {"study.yaml"}
    assert left == {"remove": set(), "move": {"elsewhere"}, "replace": {"elsewhere", "results"}}[action]
    if action == "replace":
        assert contents(disk.results) == contents(disk.root / "elsewhere")
        shutil.rmtree(disk.results)
    if action != "remove":
        (disk.root / "elsewhere").rename(disk.results)
        nothing_is_half(disk)
    goes_on(disk, whole)


@pytest.mark.parametrize(
    ("action", "moment", "place"),
    [
        ("remove cohorts", ("trained", 1), "cohorts/c0000"),
        ("remove cohorts", ("finished", 2), "cohorts/c0000"),
        ("remove checkpoints", ("trained", 1), "checkpoints/c0000.safetensors"),
        ("remove checkpoints", ("finished", 1), "checkpoints/c0001.safetensors"),
    ],
)
def test_a_folder_of_the_results_is_removed(
    disk: Disk, whole: Whole, action: str, moment: tuple[str, int], place: str
) -> None:
    answer = disk.stability(*RUN, action=action, when=moment, checkpoints="checkpoints" in action)
    refused(answer, f"results/{place}: {GONE}")
    nothing_is_half(disk)
    goes_on(disk, whole)


def test_a_finished_cohort_that_is_removed_is_trained_again(disk: Disk, whole: Whole) -> None:
    answer = disk.stability(*RUN, action="remove a cohort", when=("finished", 2))
    finishes(answer)
    assert "; 2 are finished\n" in answer.out
    goes_on(disk, whole)


# --- read-only --------------------------------------------------------------------------------------------

PLACES = ["checkpoints/c0000.safetensors", "cohorts/c0001", "study.db"]


def permit(disk: Disk) -> None:
    for folder in (disk.results, *(path for path in disk.results.rglob("*") if path.is_dir())):
        folder.chmod(0o755)


@pytest.mark.parametrize(("moment", "place"), list(zip(MOMENTS, PLACES, strict=True)))
def test_writing_is_forbidden(disk: Disk, whole: Whole, moment: tuple[str, int], place: str) -> None:
    keep = place.startswith("checkpoints")
    answer = disk.stability(*RUN, ordinary=True, action="forbid", when=moment, checkpoints=keep)
    refused(answer, f"results/{place}: {DENIED}")
    nothing_is_half(disk)
    refused(disk.stability(*RUN, ordinary=True), "results", DENIED)
    permit(disk)
    goes_on(disk, whole)


@needs_mounts
@pytest.mark.parametrize(
    ("moment", "place"),
    [
        (MOMENTS[0], PLACES[0]),
        *(pytest.param(*both, marks=ALL) for both in zip(MOMENTS[1:], PLACES[1:], strict=True)),
    ],
)
def test_the_disk_becomes_read_only(disk: Disk, whole: Whole, moment: tuple[str, int], place: str) -> None:
    keep = place.startswith("checkpoints")
    try:
        answer = disk.stability(*RUN, action="cover", when=moment, checkpoints=keep)
        refused(answer, f"results/{place}: {READ_ONLY}")
        nothing_is_half(disk)
        refused(disk.stability(*RUN), "results", READ_ONLY)
    finally:
        disk.uncover()
    goes_on(disk, whole)


@needs_mounts
def test_what_is_read_only_is_read_all_the_same(finished: Disk, whole: Whole) -> None:
    before = contents(finished.results)
    finished.cover()
    try:
        for command in (
            ("status", "results", "--runs"),
            ("status", "results", "--check"),
            ("report", "results", "--out", "page.html"),
            ("show", "results", "p000-hinge-s0", "--out", "pictures"),
            ("replay", "results", "p000-hinge-s0"),
            RUN,
        ):
            assert finished.stability(*command).code == 0
        for writing in (("status", "results", "--repair"), ("relabel", "results")):
            refused(finished.stability(*writing), "results/.lock", READ_ONLY)
        within = (*RUN[:3], "results/within", *RUN[4:])
        refused(finished.stability(*within), f"results/within: {READ_ONLY}")
    finally:
        finished.uncover()
    assert contents(finished.results) == before
    assert len(list((finished.root / "pictures").iterdir())) == 2


# --- by workers -------------------------------------------------------------------------------------------

RING = STUDY.replace("name: small", "name: ring\ndataset: ring")
WORKERS = (*RUN[:-1], "2")


@pytest.fixture(scope="module")
def ring(only_disk: Disk, whole: Whole) -> dict[str, bytes]:
    """What one process measures."""
    only_disk.empty()
    (only_disk.root / "study.yaml").write_text(RING)
    finishes(only_disk.stability(*RUN))
    return result_bytes(only_disk.results)


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        pytest.param({"pages": 60}, f": {FULL}", marks=needs_mounts),
        ({"action": "remove", "when": ("trained", 1)}, ""),
        pytest.param(
            {"action": "forbid", "when": ("trained", 1), "ordinary": True},
            f": {DENIED}",
            marks=pytest.mark.full,
        ),
    ],
)
def test_workers_stop_in_one_line_and_none_is_left(
    ring: dict[str, bytes], disk: Disk, faults: dict[str, Any], words: str
) -> None:
    """Two workers with a cohort each: the first that cannot keep one ends the study."""
    (disk.root / "study.yaml").write_text(RING)
    if "pages" in faults:
        disk.leave(pages=faults.pop("pages"))
    refused(disk.stability(*WORKERS, **faults), "results", words)
    if MOUNTS:
        disk.leave()
    if "remove" in faults.values():
        assert not disk.results.exists()
    else:
        permit(disk)
        nothing_is_half(disk)
    finishes(disk.stability(*RUN))
    assert result_bytes(disk.results) == ring

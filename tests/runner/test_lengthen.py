from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_studies import CPU, Listener, StopAfter, run_small, small_mnist, small_spec

from stability.design.extend import check_extension
from stability.design.plan import make_plan
from stability.errors import StabilityError
from stability.gan.training.placement import Placement
from stability.runner.kept import kept_state_bytes
from stability.runner.materials import Resources
from stability.runner.repair import check_study, repair_study
from stability.runner.replay import replay
from stability.spec import parse_study
from stability.store import Store
from stability.store.progress import study_status
from stability.store.shorter import cut_short
from stability.store.states import decode_state
from stability.store.tables import SCHEMAS, read_table

pytestmark = pytest.mark.slow

KEEP = (
    "space.loss=[minimax, wasserstein]",
    "recording={every: 10, evaluate_every: 20, samples: 64, final_samples: 100, keep_state: true}",
    "training.cohort_size=3",
)
"""Eight runs in cohorts of three, three and two."""
STOPPING = (
    "training.stop_on=[diverged, saturated]",
    "outcomes={persist: 2, saturated_update: 1.0e+9, latent_ignored_diversity: 0}",
)


DIVERGING = "space.lr=[1.0e-3, 1.0e+25]"


def studied(folder: Path, steps: int, *overrides: str, **options: Any) -> bool:
    spec = small_spec(*KEEP, *overrides, f"training.steps={steps}")
    return run_small(spec, folder, **options)


def contents(folder: Path) -> dict[str, object]:
    """All that is kept of the cohorts, byte for byte, but how long their runs took."""
    found: dict[str, object] = {}
    for path in (folder / "cohorts").rglob("*"):
        name = str(path.relative_to(folder))
        if path.name == "runs.parquet":
            rows = read_table(path, SCHEMAS["runs"]).drop_columns(["seconds"]).to_pylist()
            found[name] = list(map(repr, rows))
        elif path.is_file() and path.name != "digests.json":  # which has that of runs.parquet
            found[name] = path.read_bytes()
    return found


def assert_as_planned(folder: Path, whole: Path) -> None:
    assert contents(folder) == contents(whole)
    assert (folder / "plan.json").read_bytes() == (whole / "plan.json").read_bytes()
    assert (folder / "study.yaml").read_bytes() == (whole / "study.yaml").read_bytes()
    assert study_status(folder)["complete"]
    assert check_study(folder).faults == ()


def ended_at(folder: Path, step: int) -> list[str]:
    """The runs that were stopped just there."""
    store = Store.open(folder)
    rows = [row for cohort in store.plan.cohorts for row in store.table(cohort.id, "runs").to_pylist()]
    return [row["run"] for row in rows if row["stopped"] and row["step"] == step]


@pytest.mark.parametrize(
    ("steps", "overrides"),
    [
        pytest.param(40, ("recording.keep_weights=true",), marks=pytest.mark.full),
        (30, ()),  # where the longer plan makes no visit
        (40, (*STOPPING, "recording.keep_weights=true")),
        (40, (DIVERGING, "recording.keep_weights=true")),  # some stopped before the shorter horizon
    ],
)
def test_a_lengthened_run_is_the_one_planned_so_long(
    tmp_path: Path, steps: int, overrides: tuple[str, ...]
) -> None:
    """Larger samples are taken at the end alone, and nothing is stopped there."""
    assert studied(tmp_path / "whole", 80, *overrides)
    folder, listener = tmp_path / "r", Listener()
    assert studied(folder, steps, *overrides)
    shorter = contents(folder)
    assert studied(folder, 80, *overrides, listener=listener)
    assert_as_planned(folder, tmp_path / "whole")
    assert shorter.keys() - contents(folder).keys() == {
        f"cohorts/c000{k}/state-{steps}.safetensors" for k in range(3)
    }
    assert listener.notes[0] == f"extended: training.steps: {steps} -> 80"
    if overrides[:2] == STOPPING:
        assert ended_at(folder, 40)
        assert not ended_at(folder, 20)
    if DIVERGING in overrides:
        assert any(ended_at(folder, step) for step in range(1, 40))


def test_runs_and_steps_may_grow_at_once_and_again(tmp_path: Path) -> None:
    more = "design.points=3"
    assert studied(tmp_path / "r", 20)
    assert studied(tmp_path / "r", 40, more)
    assert studied(tmp_path / "r", 60, more)
    assert studied(tmp_path / "40", 40)
    assert studied(tmp_path / "40", 60, more)
    assert_as_planned(tmp_path / "r", tmp_path / "40")
    run = Store.open(tmp_path / "r").plan.runs[0].run
    assert replay(tmp_path / "r", run, Resources("cpu"), Listener()).difference is None


class Killed(BaseException):
    pass


def test_a_kill_at_any_moment_of_it_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every renaming: of the plan, of each checkpoint, of each folder that is let go of."""
    two = ("design.points=1", "design.seeds=1", "training.cohort_size=1")
    assert studied(tmp_path / "whole", 40, *two)
    assert studied(tmp_path / "short", 20, *two)
    horizons, kills = [], 0
    for last in range(100):
        folder = Path(shutil.copytree(tmp_path / "short", tmp_path / str(last)))
        with monkeypatch.context() as patch:
            count = iter(range(1000))
            for name in ("rename", "replace"):
                patch.setattr(Path, name, dying(getattr(Path, name), count, last))
            try:
                studied(folder, 40, *two, stop=StopAfter(1))
            except Killed:
                kills += 1
            else:
                break
        store = Store.open(folder)
        assert store.plan.horizon == parse_study(store.study_yaml).training.steps
        horizons.append(store.plan.horizon)
        there = len(cut_short(store)) + len(store.finished())
        under_way = {path.stem for path in (folder / "checkpoints").glob("*.safetensors")}
        assert there + len(under_way - set(cut_short(store))) >= 2
        if last % 3 == 0:
            assert studied(folder, 40, *two)
            assert_as_planned(folder, tmp_path / "whole")
    assert kills > 8
    assert horizons == sorted(horizons)
    assert set(horizons) == {20, 40}


def dying(move: Any, count: Iterator[int], last: int) -> Any:
    def moved(self: Path, target: Path) -> Path:
        if next(count) == last:
            raise Killed
        return move(self, target)

    return moved


def test_a_checkpoint_at_the_old_end_goes_on(tmp_path: Path) -> None:
    """Its last visit was made, but the cohort had not been kept yet."""
    assert studied(tmp_path / "whole", 40)
    assert not studied(tmp_path / "r", 20, stop=StopAfter(2))
    assert len(Store.open(tmp_path / "r").finished()) == 0
    assert studied(tmp_path / "r", 40)
    assert_as_planned(tmp_path / "r", tmp_path / "whole")


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kept", "asked", "words"),
    [
        ((), ("training.steps=50",), r"its runs kept no state to go on from \(training.steps: 40 -> 50\)"),
        (KEEP, (*KEEP, "training.steps=30"), "would not compare: training.steps: 40 -> 30"),
        (
            (*KEEP, "design.sampler=tpe"),
            (*KEEP, "design.sampler=tpe", "training.steps=50"),
            "would not compare: training.steps: 40 -> 50",
        ),
        ((), (KEEP[1],), "recording.keep_state: false -> true"),
    ],
)
def test_what_cannot_be_lengthened_is_told(kept: tuple[str, ...], asked: tuple[str, ...], words: str) -> None:
    with pytest.raises(StabilityError, match=words) as caught:
        check_extension(small_spec(*kept), small_spec(*asked), Path("r"))
    assert "--fork" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_lost_or_damaged_state_is_told_before_anything_changes(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    assert studied(folder, 20)
    state = folder / "cohorts" / "c0001" / "state-20.safetensors"
    whole = state.read_bytes()
    state.unlink()
    (fault,) = check_study(folder).faults
    assert fault.file == "cohorts/c0001/state-20.safetensors"
    assert fault.lost == "what its 3 runs would go on from"
    with pytest.raises(StabilityError, match=r"cohorts/c0001 has lost the state") as caught:
        studied(folder, 40)
    assert "\n" not in str(caught.value)
    assert Store.open(folder).plan.horizon == 20
    state.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    assert check_study(folder).faults[0].file == fault.file
    with pytest.raises(StabilityError, match=r"state-20\.safetensors: damaged"):
        studied(folder, 40)
    assert repair_study(folder)[1].faults == ()
    assert studied(folder, 40)
    assert studied(tmp_path / "whole", 40)
    assert_as_planned(folder, tmp_path / "whole")


# --- its size ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "sgd"])
def test_its_size_is_told_beforehand(tmp_path: Path, optimizer: str) -> None:
    more = (f"fixed.optimizer={optimizer}", "fixed.ema_decay=0.9", "fixed.spectral_norm=true")
    spec = small_spec(*KEEP, *more, "training.steps=10")
    assert run_small(spec, tmp_path / "r")
    arrays = [
        array
        for path in (tmp_path / "r" / "cohorts").glob("*/state-10.safetensors")
        for array in decode_state(path.read_bytes()).arrays.values()
    ]
    plan = make_plan(spec, device="cpu", threads=1)
    told = kept_state_bytes(plan, small_mnist(), Placement.of(spec.training, CPU))
    assert told == sum(array.nbytes for array in arrays if array.ndim)

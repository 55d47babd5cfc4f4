"""A small invented study: a plan, what its cohorts brought, and the whole results folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stability.records import (
    Divergence,
    Evaluation,
    Event,
    EventKind,
    History,
    Machine,
    Outcome,
    Record,
    RunResult,
)
from stability.spec import Config, Run
from stability.store import (
    FORMAT_VERSION,
    CohortData,
    FilmStrip,
    LatentView,
    Plan,
    PlannedCohort,
    Store,
    ViewKind,
)

NAN = float("nan")
STUDY = """\
name: made
space:
  loss: [minimax, hinge, wgan-gp]
  lr: {low: 1.0e-5, high: 1.0e-2, log: true}
design: {points: 2, seeds: 2, cross: [loss]}
training: {steps: 30}
"""
LOSSES: dict[str, dict[str, Any]] = {
    "minimax": {"loss": "minimax"},
    "hinge": {"loss": "hinge"},
    "wgan-gp": {"loss": "wasserstein", "recipe": "wgan-gp", "penalty": "gradient-penalty", "n_dis": 5},
}


def made_runs() -> tuple[Run, ...]:
    """Two points x three losses x two replicates."""
    return tuple(
        Run(
            run=f"p{point}-{loss}-s{replicate}",
            point=point,
            trial=f"p{point}-{loss}",
            replicate=replicate,
            seed=2**63 + 10 * point + replicate,
            config=Config(lr=1e-4 / (3 + point), **parameters),
            levels={"loss": loss, "lr": 1e-4 / (3 + point)},
        )
        for point in range(2)
        for loss, parameters in LOSSES.items()
        for replicate in range(2)
    )


def made_plan() -> Plan:
    """Its runs in two cohorts, one of five and one of seven."""
    runs = made_runs()
    names = tuple(run.run for run in runs)
    cohorts = (PlannedCohort("c000-mlp", names[:5]), PlannedCohort("c001-mlp", names[5:]))
    return Plan(version=FORMAT_VERSION, threads=2, device="cpu", horizon=30, cohorts=cohorts, runs=runs)


def make_record(run: str, step: int, **fields: Any) -> Record:
    """A record with a different number in every field, as far as its type allows."""
    values: dict[str, Any] = {
        field.name: step + index / 7 for index, field in enumerate(dataclasses.fields(Record))
    }
    lists = {
        "layer_grad_norms_g": (0.1, step / 3),
        "layer_names_g": ("0.weight", "3.weight"),
        "layer_grad_norms_d": (NAN,),
        "layer_names_d": ("0.weight",),
    }
    return Record(**(values | {"run": run, "step": step} | lists | fields))


def make_evaluation(run: str, step: int, **fields: Any) -> Evaluation:
    """A visit whose metrics derive from the step."""
    values: dict[str, Any] = {
        field.name: step / (3 + index) for index, field in enumerate(dataclasses.fields(Evaluation))
    }
    fixed = {
        "run": run,
        "step": step,
        "n_samples": 1024,
        "features": "mnist_cnn",
        "sized": {"fid_mnist_cnn_1024": step / 7},
        "class_shares": (0.25, 0.75),
        "modes": 2,
        "n_modes": 2,
    }
    return Evaluation(**(values | fixed | fields))


def make_history(run: str, steps: int = 30, divergence: Divergence | None = None) -> History:
    """Three records and, at the horizon, a second FID."""
    end = divergence.step if divergence else steps
    last = {"fid_mnist_cnn_1024": 5.5, "fid_mnist_cnn_2048": NAN}
    return History(
        run=run,
        records=tuple(make_record(run, step) for step in range(10, end + 1, 10)),
        evaluations=tuple(
            make_evaluation(run, step, **({"sized": last} if step == steps else {}))
            for step in range(15, end + 1, 15)
        ),
        divergence=divergence,
        last_step=end,
    )


def make_result(history: History, outcome: Outcome, *events: Event) -> RunResult:
    """What the rules might have said of a history."""
    return RunResult(
        run=history.run,
        outcome=Outcome.DIVERGED if history.divergence else outcome,
        step=history.last_step,
        reason="because",
        events=events,
        divergence=history.divergence,
        stopped=history.divergence is not None,
    )


def make_cohort(runs: tuple[str, ...], outcome: Outcome = Outcome.STABLE) -> CohortData:
    """The first run diverges before its first visit; the second collapses and recovers."""
    first, second, *_ = runs
    histories = {run: make_history(run) for run in runs}
    histories[first] = make_history(first, divergence=Divergence(12, "loss_d"))
    collapse = Event(second, EventKind.COLLAPSE, 15, 30, "1 of 2 modes", provisional=True, never_good=False)
    spike = Event(second, EventKind.LOSS_SPIKE, 20, None, "|loss_g| 99", provisional=False, never_good=False)
    events = {second: (collapse, spike)}
    return CohortData(
        results=tuple(make_result(histories[run], outcome, *events.get(run, ())) for run in runs),
        histories=tuple(histories.values()),
        seconds={run: 1.5 for run in runs},
        filmstrips={run: make_strip() for run in runs[1:]},
        machine=Machine("node-3", "Some CPU"),
    )


def make_strip(visits: int = 2, images: int = 3, channels: int = 1) -> FilmStrip:
    """Two visits of three images of 4 x 5 pixels, every pixel different from its neighbours."""
    shape = (visits, images, 4, 5, channels)
    pixels = np.arange(np.prod(shape)) * 7 % 251
    return FilmStrip(tuple(range(15, 15 * visits + 1, 15)), pixels.reshape(shape).astype(np.uint8))


def with_weights(data: CohortData) -> CohortData:
    """The same cohort, its weights and latent views kept; the first run's weights are broken."""
    names = [result.run for result in data.results]
    weights = {name: make_weights(place) for place, name in enumerate(names)}
    weights[names[0]]["generator.body.0.weight"] = np.full((2, 3), NAN, np.float32)
    return dataclasses.replace(data, weights=weights, latent_views={name: make_view() for name in names})


def make_weights(place: int = 0) -> dict[str, NDArray[Any]]:
    """A weight of each network that may be kept."""
    names = ("generator.body.0.weight", "discriminator.body.0.weight", "average.body.0.weight")
    return {name: np.full((2, 3), place + k / 7, np.float32) for k, name in enumerate(names)}


def make_view(kind: ViewKind = "interpolation", channels: int = 1) -> LatentView:
    """Two rows of three images of 4 x 4 pixels, every pixel different from its neighbours."""
    shape = (2, 3, 4, 4, channels)
    pixels = (np.arange(np.prod(shape)) * 5 % 249).reshape(shape).astype(np.uint8)
    return LatentView(kind, "normal", 8, pixels)


def make_store(folder: Path, *, finish: int = 2, environment: Mapping[str, Any] | None = None) -> Store:
    """A results folder with this many of its two cohorts finished."""
    store = Store.create(folder, study_yaml=STUDY, plan=made_plan(), environment=environment or {})
    for cohort in store.plan.cohorts[:finish]:
        store.write_cohort(cohort.id, make_cohort(cohort.runs))
    return store


def plain(value: Any) -> Any:
    """A value in which NaN equals NaN, floats differ to the last bit, and mappings have no order."""
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, FilmStrip):
        return value.steps, value.images.shape, value.images.tobytes()
    if dataclasses.is_dataclass(value):
        return [plain(getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, tuple | list) else value


def file_bytes(folder: Path) -> dict[str, bytes]:
    """Every file below folder, by its relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def dying(
    move: Callable[[Path, Path], Path], count: Iterator[int], last: int
) -> Callable[[Path, Path], Path]:
    """A way to move files that is killed at the move with this number."""

    def moved(self: Path, target: Path) -> Path:
        if next(count) == last:
            raise KeyboardInterrupt
        return move(self, target)

    return moved

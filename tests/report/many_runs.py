"""A big results folder with planted courses, written in the store's own format; nothing is trained.

What a run trains as follows from its configuration and its seed; numbers are drawn cohort by cohort, so
that the folder may be far larger than memory.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stability.records import Divergence, Event, EventKind, Outcome, RunResult
from stability.spec import Config, Run
from stability.store import FORMAT_VERSION, FilmStrip, Plan, PlannedCohort, Store
from stability.store.filmstrips import encode_filmstrip
from stability.store.tables import (
    EVALUATIONS,
    RECORDS,
    RunRow,
    encode_table,
    events_table,
    runs_table,
)

HORIZON, EVERY, VISIT, COHORT, SEEDS = 3000, 10, 250, 16, 2
LOSSES = ("minimax", "non-saturating", "least-squares", "hinge", "wasserstein")
OUTCOMES = tuple(Outcome)
LAYERS = ("body.0.weight", "body.3.weight", "body.6.weight", "body.9.weight")
STEPS, VISITS = np.arange(EVERY, HORIZON + 1, EVERY), np.arange(VISIT, HORIZON + 1, VISIT)
EVENTS = {
    Outcome.COLLAPSED: EventKind.COLLAPSE,
    Outcome.OSCILLATING: EventKind.COLLAPSE,
    Outcome.SATURATED: EventKind.SATURATION,
    Outcome.NEARLY_STABLE: EventKind.MODE_DROPPING,
    Outcome.PARTIAL_COLLAPSE: EventKind.COLLAPSE,
    Outcome.DOMINATED: EventKind.DOMINATION,
}
STUDY = """\
name: many
dataset: mnist
space:
  loss: [{losses}]
  lr: {{low: 5.0e-5, high: 1.0e-2, log: true}}
  lr_ratio: {{low: 0.05, high: 20, log: true}}
  beta1: {{low: 0.0, high: 0.95}}
  batchnorm: [none, generator]
design: {{sampler: sobol, points: {points}, seeds: {seeds}, cross: [loss]}}
training: {{steps: {steps}}}
recording: {{every: {every}, evaluate_every: {visit}}}
"""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Planted:
    """A run and what is to become of it."""

    run: Run
    outcome: Outcome

    @property
    def last_step(self) -> int:
        return last_step(self.outcome)


def last_step(outcome: Outcome) -> int:
    """Until when a run with this outcome trains."""
    return 1200 if outcome is Outcome.DIVERGED else HORIZON


def make_many(folder: Path, n_runs: int, seed: int) -> Store:
    """A finished study of about `n_runs` runs: whole points of five losses and two seeds each."""
    generator = np.random.default_rng(seed)
    n_points = max(1, round(n_runs / (len(LOSSES) * SEEDS)))
    runs = _plan_runs(n_points, generator)
    outcomes = _outcomes(runs, generator)
    planted = [Planted(run, outcome) for run, outcome in zip(runs, outcomes, strict=True)]
    groups = [planted[start : start + COHORT] for start in range(0, len(planted), COHORT)]
    cohorts = tuple(
        PlannedCohort(f"c{place:04d}", tuple(one.run.run for one in group))
        for place, group in enumerate(groups)
    )
    text = STUDY.format(
        losses=", ".join(LOSSES), points=n_points, seeds=SEEDS, steps=HORIZON, every=EVERY, visit=VISIT
    )
    plan = Plan(FORMAT_VERSION, 2, "cpu", HORIZON, cohorts, tuple(runs))
    store = Store.create(folder, study_yaml=text, plan=plan, environment={})
    pictures = _pictures(folder.with_name(f"{folder.name}-pictures"), generator)
    for cohort, group in zip(cohorts, groups, strict=True):
        _write_cohort(folder / "cohorts" / cohort.id, group, pictures, generator)
    return store


def _plan_runs(n_points: int, generator: np.random.Generator) -> list[Run]:
    runs = []
    for point in range(n_points):
        lr, lr_ratio = np.exp(generator.uniform(np.log([5e-5, 0.05]), np.log([1e-2, 20.0])))
        drawn = {
            "lr": float(lr),
            "lr_ratio": float(lr_ratio),
            "beta1": float(generator.uniform(0, 0.95)),
            "batchnorm": ("none", "generator")[int(generator.integers(2))],
        }
        for loss in LOSSES:
            config = Config(loss=loss, **drawn)
            trial = f"p{point:04d}-{loss}"
            for replicate in range(SEEDS):
                name, seed = f"{trial}-s{replicate}", 1000 * point + replicate
                runs.append(Run(name, point, trial, replicate, seed, config, {**drawn, "loss": loss}))
    return runs


def _outcomes(runs: Sequence[Run], generator: np.random.Generator) -> list[Outcome]:
    """Mostly stable at a small lr and a moderate ratio, everything else elsewhere."""
    configs = [run.config for run in runs]
    lr, ratio = np.log10([[c.lr for c in configs], [c.lr_ratio for c in configs]])
    badness = np.abs(ratio) + 1.2 * (lr + 4) + np.array([c.loss == "minimax" for c in configs])
    weights = np.tile([0.6, 1.2, 0.3, 0.8, 0.3, 0.0, 0.5, 0.4], (len(runs), 1))
    weights[:, OUTCOMES.index(Outcome.STABLE)] = np.maximum(0.2, 3 - badness)
    edges = np.cumsum(weights / weights.sum(1, keepdims=True), axis=1)
    return [OUTCOMES[place] for place in (generator.random((len(runs), 1)) > edges[:, :-1]).sum(1)]


def _write_cohort(
    folder: Path,
    group: Sequence[Planted],
    pictures: dict[Outcome, list[Path]],
    generator: np.random.Generator,
) -> None:
    results = [_result(one) for one in group]
    rows = [
        RunRow(
            one.run, folder.name, result, one.last_step, result.divergence, float(generator.uniform(20, 40))
        )
        for one, result in zip(group, results, strict=True)
    ]
    tables = {
        "runs": runs_table(rows),
        "events": events_table(results),
        "records": _records(group, generator),
        "evaluations": _evaluations(group, generator),
    }
    (folder / "filmstrips").mkdir(parents=True)
    for name, table in tables.items():
        (folder / f"{name}.parquet").write_bytes(encode_table(table))
    for one in group:
        made = pictures[one.outcome]
        os.link(made[one.run.seed % len(made)], folder / "filmstrips" / f"{one.run.run}.png")


def _result(one: Planted) -> RunResult:
    run, outcome = one.run.run, one.outcome
    lost = Divergence(1200, "loss_d") if outcome is Outcome.DIVERGED else None
    recovery = 2000 if outcome is Outcome.OSCILLATING else None
    events = (
        (Event(run, EVENTS[outcome], 1500, recovery, "modes 10 to 1", provisional=False, never_good=False),)
        if outcome in EVENTS
        else ()
    )
    reason = f"planted as {outcome}: the reason why, in as many words as one has"
    return RunResult(run, outcome, one.last_step, reason, events, lost, stopped=lost is not None)


def _kept(group: Sequence[Planted], steps: NDArray[np.int64]) -> tuple[list[str], NDArray[np.bool_]]:
    """The rows' run names and which of [runs, steps] exist: a run that diverged has no later ones."""
    mask = steps[None] <= np.array([one.last_step for one in group])[:, None]
    names = np.repeat([one.run.run for one in group], len(steps))[mask.ravel()]
    return names.tolist(), mask


def _single(values: Floats) -> Floats:
    """Rounded to single precision, as what a network computes is: doubles would not compress alike."""
    return values.astype(np.float32).astype(np.float64)


def _records(group: Sequence[Planted], generator: np.random.Generator) -> pa.Table:
    names, mask = _kept(group, STEPS)
    shape = (len(group), len(STEPS))
    wobble = np.exp(generator.normal(0, 0.25, (4, *shape)))
    shut = np.array([one.outcome is Outcome.SATURATED for one in group])[:, None] & (STEPS > 900)
    given = {
        "step": np.broadcast_to(STEPS, shape),
        "loss_d": np.where(shut, 1e-6, 1.1 * wobble[0]),
        "loss_g": np.where(shut, 10.0, 0.9) * wobble[1],
        "separation": np.where(shut, 1.0, np.minimum(1, 0.7 * wobble[2])),
        "grad_norm_g": np.where(shut, 200.0, 0.5) * wobble[3],
        "grad_norm_d": np.where(shut, 0.0, 1.8) * wobble[0],
        "generator_update": 0.3 * wobble[1],
        "discriminator_update": np.where(shut, 2e-4, 0.4) * wobble[2],
        "signal": 0.5 * wobble[3],
    }
    n_rows = len(names)
    columns = []
    for place, field in enumerate(RECORDS):
        if field.name == "run":
            columns.append(pa.array(names, pa.string()))
        elif field.name == "step":
            columns.append(pa.array(np.ascontiguousarray(given["step"][mask]), pa.int64()))
        elif pa.types.is_list(field.type):
            columns.append(_lists(field.type, n_rows, generator))
        elif field.nullable:
            columns.append(pa.nulls(n_rows, field.type))
        else:
            values = given.get(field.name, wobble[place % 4])
            columns.append(pa.array(_single(values[mask]), pa.float64()))
    return pa.Table.from_arrays(columns, schema=RECORDS)


def _lists(kind: pa.DataType, n_rows: int, generator: np.random.Generator) -> pa.Array:
    offsets = pa.array(np.arange(0, len(LAYERS) * n_rows + 1, len(LAYERS)), pa.int32())
    if pa.types.is_string(kind.value_type):
        values = pa.array(LAYERS * n_rows, pa.string())
    else:
        values = pa.array(_single(np.exp(generator.normal(0, 0.3, len(LAYERS) * n_rows))), pa.float64())
    return pa.ListArray.from_arrays(offsets, values)


def _evaluations(group: Sequence[Planted], generator: np.random.Generator) -> pa.Table:
    names, mask = _kept(group, VISITS)
    shape = (len(group), len(VISITS))
    good = np.array([one.outcome in (Outcome.STABLE, Outcome.NEARLY_STABLE) for one in group])[:, None]
    was_good = np.array([one.outcome in EVENTS for one in group])[:, None] & (VISITS < 1500)
    healthy = good | was_good
    ratio = np.where(healthy, 6 + 60 * np.exp(-4 * VISITS / HORIZON), 55 + 30 * VISITS / HORIZON)
    ratio = ratio * np.exp(generator.normal(0, 0.1, shape))
    fixed: dict[str, object] = {"n_samples": 1024, "features": "mnist_cnn", "n_modes": 10}
    given = {
        "step": np.broadcast_to(VISITS, shape),
        "fid_ratio": ratio,
        "fid_excess": (ratio - 1) / 200,
        "modes": np.where(healthy, 10, 1),
        "effective_modes": np.where(healthy, 9.2, 1.4),
        "precision": np.where(healthy, 0.6, 0.02),
        "diversity": np.where(healthy, 0.9, 0.08),
        "separation": np.where(healthy, 0.8, 1.0),
    }
    columns = []
    for field in EVALUATIONS:
        if field.name == "run":
            columns.append(pa.array(names, pa.string()))
        elif field.name in fixed:
            columns.append(pa.array([fixed[field.name]] * len(names), field.type))
        elif pa.types.is_list(field.type):
            columns.append(pa.array([[0.1] * 10] * len(names), field.type))
        elif field.nullable:
            columns.append(pa.nulls(len(names), field.type))
        else:
            values = given.get(field.name, generator.uniform(0.2, 0.8, shape))
            columns.append(pa.array(np.ascontiguousarray(values[mask])).cast(field.type))
    table = pa.Table.from_arrays(columns, schema=EVALUATIONS)
    fid = pa.array(np.ascontiguousarray((ratio * 14.1)[mask]), pa.float64())
    return table.append_column(pa.field("fid_mnist_cnn_1024", pa.float64(), True), fid)


def _pictures(folder: Path, generator: np.random.Generator) -> dict[Outcome, list[Path]]:
    """A few filmstrips for every outcome, to be linked to by its runs."""
    folder.mkdir(parents=True)
    made: dict[Outcome, list[Path]] = {}
    height = np.arange(28)[:, None]
    for outcome in OUTCOMES:
        steps = VISITS[: last_step(outcome) // VISIT]
        for number in range(4):
            strokes = np.array([6 + 2 * (image if outcome is Outcome.STABLE else 3) for image in range(8)])
            stroke = 160 * (np.abs(height[None] - strokes[:, None, None]) < 3)
            fading = np.arange(1, len(steps) + 1)[:, None, None, None]
            noise = generator.integers(0, 90, (len(steps), 8, 28, 28)) / fading
            images = np.clip(noise + stroke[None], 0, 255).astype(np.uint8)[..., None]
            path = folder / f"{outcome}-{number}.png"
            path.write_bytes(encode_filmstrip(FilmStrip(tuple(steps.tolist()), images)))
            made.setdefault(outcome, []).append(path)
    return made

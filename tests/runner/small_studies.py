"""Studies that train in a second: tiny networks, a few hundred MNIST images, and what to compare of them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from stability.gan.data.datasets import Dataset, load_dataset
from stability.gan.metrics.describers import Describer, load_describer
from stability.gan.metrics.evaluation import Evaluator
from stability.gan.training.cohort import Cohort
from stability.records import Evaluation, RunResult
from stability.runner import materials
from stability.runner.materials import Materials, Resources
from stability.runner.study import StudyRunner
from stability.spec import StudySpec, parse_study
from stability.store import Plan, PlannedCohort, Store

CPU = torch.device("cpu")
TRAIN, TEST = 400, 200
SMALL = """\
name: small
space:
  loss: [minimax, non-saturating, wasserstein]
  lr: {low: 1.0e-4, high: 1.0e-2, log: true}
  beta1: {low: 0.0, high: 0.9}
fixed: {width: 8, batch_size: 16, latent_dim: 8}
design: {points: 2, seeds: 2}
training: {steps: 40}
recording: {every: 10, evaluate_every: 20, samples: 64, final_samples: 64}
"""
"""Twelve runs in cohorts of eight and four; four yields per cohort, the second and the last at a visit."""

RING = """\
name: ring
dataset: ring
space:
  loss: [minimax, non-saturating]
  batchnorm: [none, generator]
  lr: {low: 1.0e-4, high: 1.0e-2, log: true}
fixed: {width: 8, batch_size: 16, latent_dim: 8}
design: {points: 4, cross: [loss, batchnorm]}
training: {steps: 120, cohort_size: 2}
recording: {every: 10, evaluate_every: 40, samples: 64, final_samples: 64}
"""
"""Sixteen runs in eight cohorts."""
RING_STEPS = 120


@cache
def small_mnist() -> Dataset:
    whole = load_dataset("mnist", device=CPU)
    return dataclasses.replace(
        whole,
        train=whole.train[:TRAIN],
        train_labels=whole.train_labels[:TRAIN],
        test=whole.test[:TEST],
        test_labels=whole.test_labels[:TEST],
        sha256=f"the first {TRAIN} and {TEST} images",
    )


@cache
def mnist_describer() -> Describer:
    return load_describer(load_dataset("mnist", device=CPU), device=CPU)


def _load_dataset(name: str, **options: Any) -> Dataset:
    return small_mnist() if name == "mnist" else load_dataset(name, **options)


def _load_describer(dataset: Dataset, **options: Any) -> Describer:
    return mnist_describer() if dataset.name == "mnist" else load_describer(dataset, **options)


def make_small(patch: pytest.MonkeyPatch, cache: Path) -> None:
    """Let MNIST be small to the runner, and keep its features where tests may."""
    patch.setenv("XDG_CACHE_HOME", str(cache))
    patch.setattr(materials, "load_dataset", _load_dataset)
    patch.setattr(materials, "load_describer", _load_describer)


def small_spec(*overrides: str, text: str = SMALL) -> StudySpec:
    return parse_study(text, overrides=overrides)


def ring_spec(*overrides: str) -> StudySpec:
    return small_spec(*overrides, text=RING)


def small_materials() -> Materials:
    return Materials(small_mnist(), mnist_describer(), CPU)


def small_evaluator(spec: StudySpec) -> Evaluator:
    return small_materials().evaluator(spec, lambda text: None)


class StopAfter:
    """Says stop at the k-th time of asking, and from then on."""

    def __init__(self, k: int) -> None:
        self.left = k

    def __call__(self) -> bool:
        self.left -= 1
        return self.left <= 0


def count_seconds(patch: pytest.MonkeyPatch, *, visit: float = 0.0) -> None:
    """Let a step take a second for each run of its cohort, and the evaluation of a run so many."""
    now = 0.0
    step, evaluate = Cohort.update_generators, Evaluator.evaluate

    def counted_step(cohort: Cohort) -> None:
        nonlocal now
        now += len(cohort.runs)
        step(cohort)

    def counted_evaluate(evaluator: Evaluator, *arguments: Any, **named: Any) -> Evaluation:
        nonlocal now
        now += visit
        return evaluate(evaluator, *arguments, **named)

    patch.setattr(Cohort, "update_generators", counted_step)
    patch.setattr(Evaluator, "evaluate", counted_evaluate)
    patch.setattr(time, "perf_counter", lambda: now)


class Listener:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.plans: list[tuple[Plan, int]] = []
        self.notes: list[str] = []
        self.steps: list[int] = []
        self.skips: list[int] = []
        self.cohorts: list[str] = []
        self.results: list[RunResult] = []

    def planned(self, plan: Plan, done: Sequence[RunResult]) -> None:
        self.plans.append((plan, len(done)))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def trained(self, member_steps: int) -> None:
        self.steps.append(member_steps)

    def skipped(self, member_steps: int) -> None:
        self.skips.append(member_steps)

    def finished(self, cohort: PlannedCohort, results: Sequence[RunResult]) -> None:
        self.cohorts.append(cohort.id)
        self.results += results


def run_small(
    spec: StudySpec,
    folder: Path,
    *,
    stop: StopAfter | None = None,
    resources: Resources | None = None,
    listener: Listener | None = None,
) -> bool:
    runner = StudyRunner(spec, folder, resources or Resources("cpu"), listener or Listener())
    if stop is not None:
        runner.should_stop = stop
    return runner.run()


def result_bytes(folder: Path) -> dict[str, bytes]:
    """What a study measured, and its plan, byte by byte."""
    names = ("plan.json", "records.parquet", "evaluations.parquet")
    found = {
        str(path.relative_to(folder)): path.read_bytes() for name in names for path in folder.rglob(name)
    }
    return found | {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.png")}


def all_bytes(folder: Path) -> dict[str, bytes]:
    """Every file but the lock, byte by byte."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def rows_by_run(folder: Path, table: Any) -> dict[str, list[str]]:
    """A table's rows by run; as text, so that NaN equals NaN and every bit of a float counts."""
    store = Store.open(folder)
    rows: dict[str, list[str]] = {}
    for cohort in store.plan.cohorts:
        for row in store.table(cohort.id, table).to_pylist():
            rows.setdefault(row["run"], []).append(repr(row))
    return rows


def outcomes_by_run(folder: Path) -> dict[str, str]:
    store = Store.open(folder)
    return {
        row["run"]: row["outcome"]
        for cohort in store.plan.cohorts
        for row in store.table(cohort.id, "runs").to_pylist()
    }

"""How long a plan will take on this device: a few steps of each kind of cohort, timed. It changes no plan."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass

import torch

from stability.gan.cohort import Cohort, structure_key
from stability.gan.evaluation import Evaluator
from stability.gan.placement import Placement
from stability.runner.planning import cohort_runs
from stability.runner.trainer import PICTURES
from stability.runner.visit import visit
from stability.spec import Run, StudySpec
from stability.store import Plan

WARM_UP = 2
TIMED_STEPS = 5
MAX_SECONDS = 2.0
"""Per kind of cohort, roughly: a slow one is timed over fewer steps."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Expected seconds of a whole plan, when every run trains to the horizon."""

    training: float
    evaluation: float
    kinds: int
    """How many kinds of cohort were timed."""

    @property
    def total(self) -> float:
        """Seconds."""
        return self.training + self.evaluation


def estimate_time(plan: Plan, spec: StudySpec, evaluator: Evaluator, placement: Placement) -> Estimate:
    """Time each kind of cohort (one structure at one size) and one evaluation of it, and add up."""
    kinds: Counter[tuple[Hashable, ...]] = Counter()
    examples: dict[tuple[Hashable, ...], list[Run]] = {}
    for cohort in plan.cohorts:
        runs = cohort_runs(plan, cohort)
        key = (*structure_key(runs[0].config), len(runs))
        kinds[key] += 1
        examples.setdefault(key, runs)
    visits = -(-plan.horizon // spec.recording.evaluate_every)
    longest = spec.recording.final_samples / spec.recording.samples  # the last visit, against the others
    training = evaluation = 0.0
    for key, runs in examples.items():
        step, visit = _time_kind(runs, spec, evaluator, placement)
        training += kinds[key] * step * plan.horizon
        evaluation += kinds[key] * visit * (visits - 1 + longest)
    return Estimate(training, evaluation, len(examples))


def _time_kind(
    runs: list[Run], spec: StudySpec, evaluator: Evaluator, placement: Placement
) -> tuple[float, float]:
    """Seconds per step and per visit of one cohort: what its runs share, and each one's evaluation."""
    dataset = evaluator.dataset
    cohort = Cohort(runs, dataset.train, placement, labels=dataset.train_labels)
    _train_to(cohort, WARM_UP)
    _wait(placement)
    start, steps = time.perf_counter(), 0
    while steps < TIMED_STEPS and time.perf_counter() - start < MAX_SECONDS:
        steps += 1
        _train_to(cohort, WARM_UP + steps)
    _wait(placement)
    step = (time.perf_counter() - start) / steps
    start = time.perf_counter()
    seen = visit(cohort, evaluator, spec.recording.samples)
    cohort.pictures(PICTURES)
    shared, start = time.perf_counter() - start, time.perf_counter()
    seen.evaluate(0)
    return step, shared + (time.perf_counter() - start) * len(runs)


def _wait(placement: Placement) -> None:
    """A GPU works on after it has been told what to do."""
    if placement.device.type == "cuda":
        torch.cuda.synchronize(placement.device)


def _train_to(cohort: Cohort, step: int) -> None:
    for _ in cohort.train(step, record_every=step + 1):
        pass

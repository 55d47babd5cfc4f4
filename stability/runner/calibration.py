"""How long a plan will take on this device: a few steps of each kind of cohort, timed. It changes no plan."""

from __future__ import annotations

import heapq
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch

from stability.design.plan import cohort_runs
from stability.gan.metrics.evaluation import Evaluator
from stability.gan.training.cohort import Cohort
from stability.gan.training.placement import Placement
from stability.runner.trainer import PICTURES
from stability.runner.visit import visit
from stability.spec import Run, StudySpec
from stability.store import Plan
from stability.vocabulary.structure import structure_key

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


def estimate_time(
    plan: Plan, spec: StudySpec, evaluator: Evaluator, placement: Placement, workers: int = 1
) -> Estimate:
    """Time each kind of cohort (one structure at one size) and one evaluation of it, and add up.

    Several workers take one cohort after the other, each as fast as one alone.
    """
    kinds: list[tuple[Hashable, ...]] = []
    examples: dict[tuple[Hashable, ...], list[Run]] = {}
    for cohort in plan.cohorts:
        runs = cohort_runs(plan, cohort)
        kinds.append((*structure_key(runs[0].config), len(runs)))
        examples.setdefault(kinds[-1], runs)
    visits = -(-plan.horizon // spec.recording.evaluate_every)
    longest = spec.recording.final_samples / spec.recording.samples  # the last visit, against the others
    timed = {key: _time_kind(runs, spec, evaluator, placement) for key, runs in examples.items()}
    training = [timed[key][0] * plan.horizon for key in kinds]
    evaluation = [timed[key][1] * (visits - 1 + longest) for key in kinds]
    together = [sum(both) for both in zip(training, evaluation, strict=True)]
    at_once = _until_the_last_is_done(together, workers) / sum(together) if any(together) else 1.0
    return Estimate(at_once * sum(training), at_once * sum(evaluation), len(examples))


def _until_the_last_is_done(seconds: Sequence[float], workers: int) -> float:
    """How long they take if whoever is free takes the next one."""
    free_at = [0.0] * workers
    for own in seconds:
        heapq.heapreplace(free_at, free_at[0] + own)
    return max(free_at)


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

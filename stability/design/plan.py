"""Runs -> cohorts -> plan. What a cohort holds follows from the study file and the device's kind alone."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import replace

from stability.design import ROUND, FinishedPoint, draw_points, next_points, plan_runs
from stability.spec import Run, StudySpec
from stability.store import FORMAT_VERSION, Plan, PlannedCohort
from stability.vocabulary.structure import structure_key

COHORT_SIZES = {
    ("cpu", "dcgan"): 4,
    ("cpu", "conditional"): 4,
    ("cpu", "unpool"): 1,
    ("cuda", "mlp"): 32,
    ("cuda", "fully-connected"): 32,
    ("cuda", "maxout"): 32,
    ("cuda", "dirac"): 32,
    ("cuda", "dcgan"): 16,
    ("cuda", "conditional"): 16,
    ("cuda", "unpool"): 1,
}
"""By device and architecture, never by timing: it would make records depend on the machine's mood."""
DEFAULT_COHORT_SIZE = 8
LARGE_BATCH = 256
"""Images; the sizes hold up to such a batch. Of larger ones a cohort has fewer runs, for their memory."""
NUMBERED = re.compile(r"c[0-9]{4,9}")


def make_plan(spec: StudySpec, *, device: str, threads: int) -> Plan:
    """The whole plan of a fixed design; of a search, a plan that has no runs yet."""
    fixed = spec.design.sampler != "tpe"
    runs = plan_runs(spec, draw_points(spec)) if fixed else []
    empty = Plan(
        FORMAT_VERSION,
        threads,
        device,
        spec.training.steps,
        cohorts=(),
        runs=(),
        stop_thresholds=spec.outcomes,
    )
    return extended(empty, spec, runs)


def extended(plan: Plan, spec: StudySpec, runs: Sequence[Run]) -> Plan:
    """The plan with these runs added in cohorts of their own."""
    kind = plan.device.partition(":")[0]
    groups: dict[tuple[Hashable, ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(structure_key(run.config), []).append(run)
    cohorts, number = list(plan.cohorts), _next_number(plan)
    for group in groups.values():
        size = cohort_size(spec, kind, group[0])
        for start in range(0, len(group), size):
            names = tuple(run.run for run in group[start : start + size])
            cohorts.append(PlannedCohort(f"c{number:04d}", names))
            number += 1
    return replace(plan, cohorts=tuple(cohorts), runs=(*plan.runs, *runs))


def with_next_round(plan: Plan, spec: StudySpec, known: Sequence[FinishedPoint]) -> Plan:
    """The plan of a search with the runs of its next points, chosen in the light of the known ones."""
    done = len({run.point for run in plan.runs})
    points = next_points(spec, known, min(ROUND, spec.design.points - done))
    return extended(plan, spec, plan_runs(spec, points, first_point=done, adaptive=True))


def with_split(plan: Plan, cohort: PlannedCohort) -> tuple[Plan, list[PlannedCohort]]:
    """The plan with two cohorts in the place of one of at least two runs, and these two."""
    number, half = _next_number(plan), (len(cohort.runs) + 1) // 2
    halves = [
        PlannedCohort(f"c{number:04d}", cohort.runs[:half]),
        PlannedCohort(f"c{number + 1:04d}", cohort.runs[half:]),
    ]
    at = plan.cohorts.index(cohort)
    cohorts = (*plan.cohorts[:at], *halves, *plan.cohorts[at + 1 :])
    return replace(plan, cohorts=cohorts), halves


def _next_number(plan: Plan) -> int:
    """After the highest number that a cohort has; some in between may be missing from a rebuilt plan."""
    numbers = [int(cohort.id[1:]) for cohort in plan.cohorts if NUMBERED.fullmatch(cohort.id)]
    return max(numbers, default=-1) + 1


def cohort_size(spec: StudySpec, kind: str, run: Run) -> int:
    """How many runs of this structure train in lockstep."""
    table = COHORT_SIZES.get((kind, run.config.architecture), DEFAULT_COHORT_SIZE)
    images = run.config.batch_size * run.config.packing
    bounded = min(table, max(2, table * LARGE_BATCH // images))  # a lone member would be padded with a copy
    return spec.training.cohort_size or bounded


def cohort_runs(plan: Plan, cohort: PlannedCohort) -> list[Run]:
    """The cohort's runs, in its order."""
    runs = {run.run: run for run in plan.runs}
    return [runs[name] for name in cohort.runs]

"""A plan that was lost, drawn again from the study file, the environment and the finished cohorts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stability.design import draw_points, plan_runs
from stability.design.plan import extended, make_plan
from stability.errors import StabilityError
from stability.spec import Run, StudySpec, Thresholds
from stability.spec.loader import parse_study
from stability.spec.relations import check_trained_here
from stability.store import Plan, PlannedCohort, Store
from stability.store.folder import ENVIRONMENT, STUDY
from stability.store.repair.unsealed import unsealed_study
from stability.store.tables import RUNS, read_table
from stability.store.transaction import COHORTS

CPU_KINDS = ("cpu", "mps")


def rebuilt_plan(folder: Path) -> Plan:
    """The plan of a study that draws its points before the first run; finished cohorts stay as they are.

    What was under way keeps its cohort where the study was planned in one go.

    Raises StabilityError saying why it cannot be drawn again.
    """
    blank = Store(folder, Plan(0, 0, "", 0, (), ()))  # reads what needs no plan
    spec = unsealed_study(blank) or parse_study(blank.study_yaml, source=str(folder / STUDY))
    check_trained_here(spec)
    if spec.design.sampler == "tpe":
        raise StabilityError(f"{folder}: the points of a search follow from its results")
    device, threads, stop_thresholds = _planned(folder, blank.environment, spec)
    whole = replace(make_plan(spec, device=device, threads=threads), stop_thresholds=stop_thresholds)
    finished = list(_finished(folder, {run.run: run for run in whole.runs}))
    by_id = {cohort.id: cohort for cohort in whole.cohorts}
    if all(by_id.get(cohort.id) == cohort for cohort in finished):
        return whole
    return _around(whole, spec, finished)


def _planned(folder: Path, environment: Mapping[str, Any], spec: StudySpec) -> tuple[str, int, Thresholds]:
    """Device, threads and rules of stopping; the first versions did not write down all of them."""
    source = folder / ENVIRONMENT
    planned = environment.get("planned", environment)
    try:
        device, threads = str(planned["device"]), int(planned["threads"])
        rules = planned.get("stop_thresholds")
        thresholds = spec.outcomes if rules is None else Thresholds.model_validate(rules)
    except (KeyError, TypeError, ValueError, AttributeError, ValidationError):
        raise StabilityError(f"{source}: does not say what the study was planned with") from None
    if rules is None and set(spec.training.stop_on) - {"diverged"}:
        raise StabilityError(f"{source}: does not say by which thresholds runs are stopped")
    if planned is environment and device not in CPU_KINDS:
        device = "cuda"  # what is written there is the name of the GPU
    return device, threads, thresholds


def _finished(folder: Path, runs: Mapping[str, Run]) -> Iterator[PlannedCohort]:
    """The cohorts that are there, can be read and hold runs of this study."""
    places = folder / COHORTS
    for path in sorted(places.iterdir()) if places.is_dir() else ():
        try:
            table = read_table(path / "runs.parquet", RUNS)
        except (StabilityError, OSError):
            continue
        rows = table.select(["run", "seed", "config"]).to_pylist()
        if rows and all(_is_planned(row, runs) for row in rows):
            yield PlannedCohort(path.name, tuple(row["run"] for row in rows))


def _is_planned(row: Mapping[str, Any], runs: Mapping[str, Run]) -> bool:
    run = runs.get(row["run"])
    if run is None:
        return False
    return (row["seed"], json.loads(row["config"])) == (run.seed, run.config.model_dump(mode="json"))


def _around(whole: Plan, spec: StudySpec, finished: list[PlannedCohort]) -> Plan:
    """The same runs, the finished ones in the cohorts that they were trained in."""
    done = {run for cohort in finished for run in cohort.runs}
    kept = replace(whole, cohorts=tuple(finished), runs=tuple(run for run in whole.runs if run.run in done))
    longer = extended(kept, spec, [run for run in whole.runs if run.run not in done])
    return replace(longer, runs=tuple(plan_runs(spec, draw_points(spec))))

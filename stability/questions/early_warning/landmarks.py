"""The runs that are still healthy at a step, and all that is known of them then. Frames in, arrays out.

An event's onset is assigned in hindsight: what counts at a step is what could be seen by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stability.reading.factors import categorical, numeric
from stability.reading.unit_cube import one_hot, scale_of, unit_cube
from stability.records import FAILURES, EventKind, Outcome
from stability.spec import StudySpec
from stability.statistics.out_of_fold import Flags, Floats, Ints
from stability.vocabulary.metrics import QUANTITIES, RECORDED, VISITED

DIAGNOSTICS = tuple(QUANTITIES)
ALL_DIAGNOSTICS, HYPERPARAMETERS, BOTH = "all diagnostics", "hyperparameters", "both together"
"""Predictors of several features; each of `DIAGNOSTICS` is one alone."""

FEWEST_POINTS = 10
"""With a failure, and as many with a run that ends well: below that nothing is estimated."""
MOST_LANDMARKS = 7


@dataclass(frozen=True)
class Landmark:
    """The runs that are healthy at one step, in the order of the rows of all arrays."""

    step: int
    runs: pd.DataFrame
    points: Ints
    failed: Flags
    known: Flags
    """Whether a run ended well or failed; the others still learn."""
    folds: Ints
    features: dict[str, Floats]
    """By predictor: [runs, features], not scaled."""

    @property
    def reason(self) -> str:
        """Why nothing can be estimated; empty where it can."""
        n_failed, n_well = (
            len(np.unique(self.points[self.known & (self.failed == failed)])) for failed in (True, False)
        )
        if min(n_failed, n_well) >= FEWEST_POINTS:
            return ""
        return (
            f"not estimable: {n_failed} points with a failure and {n_well} with a run that ends well, "
            f"each must be {FEWEST_POINTS} at least"
        )


def landmark_at(
    step: int,
    runs: pd.DataFrame,
    frames: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
    parameters: pd.DataFrame,
    fold_of: Mapping[int, int],
    *,
    persist: int,
) -> Landmark:
    """The runs healthy at a step, with their features; `frames` are records, evaluations and events.

    `persist` is the number of visits that a saturation has to last, as the labels were made.
    """
    records, evaluations, events = frames
    runs = runs[healthy_at(runs, events, evaluations, step, persist=persist)]
    features = _features(runs, records, evaluations, step)
    shared = parameters.loc[runs["run"]].to_numpy(dtype=np.float64)
    together = np.column_stack([features[name] for name in DIAGNOSTICS])
    predictors = {name: features[name][:, None] for name in DIAGNOSTICS}
    predictors |= {ALL_DIAGNOSTICS: together, HYPERPARAMETERS: shared}
    predictors[BOTH] = np.hstack([together, shared])
    points = runs["point"].to_numpy(dtype=np.int64)
    return Landmark(
        step,
        runs,
        points,
        failed=runs["outcome"].isin(FAILURES).to_numpy(dtype=bool),
        known=(runs["outcome"] != Outcome.LEARNING).to_numpy(dtype=bool),
        folds=np.array([fold_of[point] for point in points.tolist()], dtype=np.int64),
        features=predictors,
    )


def healthy_at(
    runs: pd.DataFrame, events: pd.DataFrame, evaluations: pd.DataFrame, step: int, *, persist: int
) -> pd.Series:
    """Whether each run trained past a step and nothing bad could be seen in it by then.

    What comes after the step changes nothing: a collapse after having been good is seen at its onset, a
    saturation at the visit after its number `persist` (whether one odd visit is part of it only the next one
    tells), a divergence at once. The collapse of a run that never was good
    is seen at the run's last visit alone, so it makes no run unhealthy before.
    """
    begun = events[events["onset"] <= step]
    lost = (begun["kind"] == EventKind.COLLAPSE.value) & ~begun["never_good"].astype(bool)
    saturated = begun[begun["kind"] == EventKind.SATURATION.value]
    back = saturated["run"].map(_visit_back(evaluations, saturated, step, persist + 1))
    lasted = saturated["onset"].astype(float) <= back.astype(float)
    hurt = pd.concat([begun.loc[lost, "run"], saturated.loc[lasted, "run"]])
    diverged = runs["divergence_step"].astype("Float64").le(step).fillna(value=False).astype(bool)
    healthy: pd.Series = (runs["step"] > step) & ~diverged & ~runs["run"].isin(hurt)
    return healthy


def _visit_back(evaluations: pd.DataFrame, saturated: pd.DataFrame, step: int, count: int) -> pd.Series:
    """By run: the step of visit number `count`, counted back from the last one up to a step."""
    seen = evaluations[evaluations["run"].isin(saturated["run"]) & (evaluations["step"] <= step)]
    back = seen.sort_values("step", kind="stable").groupby("run").nth(-count)
    steps: pd.Series = back.set_index("run")["step"].astype(float)
    return steps


def landmark_steps(evaluations: pd.DataFrame, horizon: int) -> list[int]:
    """At most `MOST_LANDMARKS` of the visits before the horizon, evenly spread."""
    steps = np.unique(evaluations["step"].to_numpy(dtype=np.int64))
    steps = steps[(steps > 0) & (steps < horizon)]
    places = np.unique(np.linspace(0, len(steps) - 1, MOST_LANDMARKS).round().astype(int))
    return [int(step) for step in steps[places]] if len(steps) else []


def _features(
    runs: pd.DataFrame, records: pd.DataFrame, evaluations: pd.DataFrame, step: int
) -> dict[str, Floats]:
    """The diagnostics of each run as last seen by a step; not finite where there is none."""
    visits = _last_by(evaluations, runs["run"], step).assign(
        modes_share=lambda frame: frame["modes"] / frame["n_modes"],
        held_out_separation=lambda frame: frame["separation"],
    )
    found = _last_by(records, runs["run"], step)
    features = {name: _column(found[name], quantity.log) for name, quantity in RECORDED.items()}
    return features | {name: _column(visits[name], quantity.log) for name, quantity in VISITED.items()}


def _last_by(rows: pd.DataFrame, runs: pd.Series, step: int) -> pd.DataFrame:
    known = rows[(rows["step"] <= step) & rows["run"].isin(runs)].sort_values("step", kind="stable")
    return known.drop_duplicates("run", keep="last").set_index("run").reindex(runs)


def _column(values: pd.Series, log: bool) -> Floats:
    column: Floats = values.to_numpy(dtype=np.float64, na_value=np.nan)
    if log:
        with np.errstate(divide="ignore", invalid="ignore"):
            column = np.log10(column)
    return column


def unit_parameters(runs: pd.DataFrame, spec: StudySpec) -> pd.DataFrame:
    """The drawn parameters by run: ranges as places in the unit cube, levels as 0 and 1."""
    cube = unit_cube(runs, tuple(scale_of(spec, name) for name in numeric(spec, runs)))
    levels, _ = one_hot(runs, categorical(spec, runs))
    return pd.DataFrame(np.hstack([cube, levels]), index=runs["run"])

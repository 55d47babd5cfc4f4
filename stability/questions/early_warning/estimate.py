"""Early warning: which diagnostic at step k tells how a run that is still healthy will end.

At every landmark (a visit) the runs that are still healthy are scored by a regularised logistic regression
that never saw their point. Adaptive runs never enter; runs that still learn count as neither failed nor well.
Frames in, frames out; imports neither torch nor optuna.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import t as student_t

from stability.questions.early_warning.landmarks import (
    BOTH,
    DIAGNOSTICS,
    HYPERPARAMETERS,
    Landmark,
    landmark_at,
    landmark_steps,
    unit_parameters,
)
from stability.reading.histories import sample_points
from stability.spec import StudySpec
from stability.statistics.held_out import assign_folds
from stability.statistics.out_of_fold import (
    FALSE_STOPS,
    FOLDS,
    NO_FIT,
    Flags,
    Floats,
    auc,
    auc_gain,
    fitted_risks,
    missing,
    out_of_fold,
    stop_bar,
)
from stability.statistics.rates import ADAPTIVE, COLUMNS, NO_RUNS, ONE_POINT, designed, estimate_row, rate

QUANTITIES = ("compute_saved", "false_stops", "caught", "learning_stops")
TOO_FEW_WELL = "not estimable: too few runs end well to keep to the limit"
MOST_RUNS = 2000
"""Of more runs a random part is used, whole points at a time."""
TABLES: Mapping[str, Sequence[str]] = {
    "landmarks": ("step", "n_runs", "n_points", "n_failed", "n_well", "n_learning", "reason"),
    "auc": ("step", "predictor", "kind", *COLUMNS),
    "gain": ("step", *COLUMNS),
    "rule": ("step", "quantity", *COLUMNS),
}


@dataclass(frozen=True)
class EarlyWarning:
    """What is known of the end of healthy runs at each landmark."""

    landmarks: pd.DataFrame
    """`step`, and of the runs healthy then `n_runs, n_points, n_failed, n_well, n_learning, reason`."""
    auc: pd.DataFrame
    """`step, predictor, kind` ("one" diagnostic or a "set") and the columns of an estimate: .5 is chance."""
    gain: pd.DataFrame
    """`step` and an estimate: AUC of both together less that of the hyperparameters."""
    rule: pd.DataFrame
    """`step, quantity` (`QUANTITIES`) and an estimate, each a share in [0, 1]."""
    n_runs: int
    """Runs that were used: all that were drawn beforehand, or of more than `MOST_RUNS` a random part."""
    n_available: int
    reason: str = ""
    """Why there is no landmark at all; empty where there is one."""
    limit: float = FALSE_STOPS


def early_warning(
    runs: pd.DataFrame,
    records: pd.DataFrame,
    evaluations: pd.DataFrame,
    events: pd.DataFrame,
    *,
    spec: StudySpec,
    rng: np.random.Generator,
) -> EarlyWarning:
    """Predict at some visits how the runs still healthy will end, and what stopping the worst would save.

    `records` need only hold rows at or just before the visits. The early-stop rule uses everything known at
    the step; its bar is chosen on the training folds so that it stops at most `FALSE_STOPS` of the runs that
    end well. `compute_saved` is a share of all updates of both networks, `false_stops` of the healthy runs
    that end well, `caught` of those that fail, `learning_stops` of those that were still learning.
    """
    fixed = designed(runs)
    used = sample_points(fixed, MOST_RUNS, rng)
    parameters = unit_parameters(used, spec)
    fold_of = assign_folds(used["point"].to_numpy(dtype=np.int64), FOLDS, rng=rng)
    rows: dict[str, list[pd.DataFrame]] = {name: [] for name in TABLES}
    for step in landmark_steps(evaluations, spec.training.steps):
        landmark = landmark_at(
            step, used, (records, evaluations, events), parameters, fold_of, persist=spec.outcomes.persist
        )
        found = (_counts(landmark), *_aucs(landmark), _rule(landmark, used))
        for name, table in zip(TABLES, found, strict=True):
            rows[name].append(table.assign(step=step))
    tables = {
        name: pd.concat(rows[name], ignore_index=True)[list(columns)]
        if rows[name]
        else pd.DataFrame(columns=list(columns))
        for name, columns in TABLES.items()
    }
    reason = _reason(runs, tables["landmarks"])
    return EarlyWarning(
        tables["landmarks"], tables["auc"], tables["gain"], tables["rule"], len(used), len(fixed), reason
    )


def stops(landmark: Landmark) -> tuple[Flags, str]:
    """Which runs the early-stop rule would stop, each judged by its fold's model and bar.

    A fold's bar is chosen on the other folds, on runs scored by models that saw neither their fold nor it.
    Also tells why there is no rule, empty where there is one: fewer than 19 runs that end well are too few
    for 5%, or a fit did not converge.
    """
    features, failed = landmark.features[BOTH], landmark.failed
    known, folds = landmark.known, landmark.folds
    well: dict[int, list[Floats]] = {fold: [] for fold in range(FOLDS)}
    for one, other in combinations(range(FOLDS), 2):
        risks = fitted_risks(features, failed, known & ~np.isin(folds, (one, other)))
        well[one].append(risks[known & ~failed & (folds == other)])
        well[other].append(risks[known & ~failed & (folds == one)])
    bars = {fold: stop_bar(np.concatenate(risks)) for fold, risks in well.items()}
    risks = out_of_fold(features, failed, folds, known)
    bar = np.array([bars[int(fold)] for fold in folds])
    if np.isnan(np.concatenate([risks, *(own for parts in well.values() for own in parts)])).any():
        return np.zeros(len(risks), dtype=bool), NO_FIT
    return risks > bar, "" if np.isfinite(list(bars.values())).any() else TOO_FEW_WELL


def _reason(runs: pd.DataFrame, landmarks: pd.DataFrame) -> str:
    if runs.empty:
        return NO_RUNS
    if runs["adaptive"].astype(bool).all():
        return ADAPTIVE
    return "" if len(landmarks) else "not estimable: no visit before the horizon"


def _aucs(landmark: Landmark) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The AUC of every predictor, and what the diagnostics add to the hyperparameters."""
    known, reason = landmark.known, landmark.reason
    failed, points, folds = landmark.failed[known], landmark.points[known], landmark.folds[known]
    rows, risks = [], {}
    for name, features in landmark.features.items():
        why = reason or (
            "" if np.isfinite(features[known]).any() else "not estimable: it has no finite value"
        )
        row = missing(points, why)
        if not why:
            risks[name] = out_of_fold(features[known], failed, folds)
            row = auc(risks[name], failed, points, folds)
        rows.append(row.assign(predictor=name, kind="one" if name in DIAGNOSTICS else "set"))
    if {BOTH, HYPERPARAMETERS} <= set(risks):
        gain = auc_gain(risks[BOTH], risks[HYPERPARAMETERS], failed, points, folds)
    else:
        gain = missing(points, reason or "not estimable: no hyperparameter was varied")
    return pd.concat(rows), gain


def _rule(landmark: Landmark, used: pd.DataFrame) -> pd.DataFrame:
    """What the early-stop rule would save, and at what price."""
    healthy, known, failed = landmark.runs, landmark.known, landmark.failed
    reason = landmark.reason
    stopped, why = (np.zeros(len(healthy), dtype=bool), reason) if reason else stops(landmark)
    if why:
        row = missing(landmark.points, why)
        return pd.concat([row.assign(quantity=name) for name in QUANTITIES])
    flags = pd.Series(stopped, index=healthy.index, name="stopped")
    kinds = {"false_stops": known & ~failed, "caught": known & failed, "learning_stops": ~known}
    rows = [compute_saved(used, flags, landmark.step).assign(quantity="compute_saved")]
    rows += [rate(healthy[kind], flags[kind]).assign(quantity=name) for name, kind in kinds.items()]
    return pd.concat(rows)


def compute_saved(used: pd.DataFrame, stopped: pd.Series, step: int | pd.Series) -> pd.DataFrame:
    """Share of all updates of both networks that come after a step in the runs that are stopped there.

    `step` is the same for all runs or, by the index of `used`, each one's own.

    One row with the columns of `rate`; `stopped` holds booleans by the index of `used`, for some of its rows.
    The share is a ratio of sums over points: its linearised variance gives an interval on the logit scale,
    with Student's quantile at n_points - 1 (Cochran 1977, section 6). Over 24 to 128 points, one to three
    seeds, costs up to six times each other and stopped shares of .02 to .5, 94 to 97% of them cover.
    """
    a_step = used["n_dis"].astype(float) + used["n_gen"].astype(float)
    saved = a_step * (used["step"] - step) * stopped.reindex(used.index, fill_value=False)
    sums = pd.DataFrame({"saved": saved, "all": a_step * used["step"]}).groupby(used["point"]).sum()
    kept, spent = sums["saved"].to_numpy(dtype=np.float64), sums["all"].to_numpy(dtype=np.float64)
    share = kept.sum() / spent.sum() if spent.sum() else np.nan
    residuals = kept - share * spent
    reason = _why_no_interval(share, residuals / spent.sum() if spent.sum() else residuals)
    if reason:
        return estimate_row(share, (np.nan, np.nan), len(sums), len(used), reason)
    n_points = len(sums)
    error = np.sqrt(n_points / (n_points - 1) * (residuals**2).sum()) / spent.sum()
    half = student_t.ppf(0.975, n_points - 1) * error / (share * (1 - share))
    interval = (float(expit(logit(share) - half)), float(expit(logit(share) + half)))
    return estimate_row(share, interval, n_points, len(used), "")


def _why_no_interval(share: float, residuals: Floats) -> str:
    """Why a ratio over points has no interval; empty where it has one."""
    if np.isnan(share):
        return "not estimable: no run made an update"
    if share == 0:
        return "no interval: no run would be stopped"
    if len(residuals) == 1:
        return ONE_POINT
    return "no interval: the share is the same at every point" if np.allclose(residuals, 0) else ""


def _counts(landmark: Landmark) -> pd.DataFrame:
    n_runs, known, failed = len(landmark.points), landmark.known, landmark.failed
    row = {
        "n_runs": n_runs,
        "n_points": len(np.unique(landmark.points)),
        "n_failed": int((known & failed).sum()),
        "n_well": int((known & ~failed).sum()),
        "n_learning": int((~known).sum()),
        "reason": landmark.reason,
    }
    return pd.DataFrame([row])

"""How the ranking of losses moves when an outcome threshold or the horizon moves.

Stored histories are labelled anew by the same pure rules that labelled them, one change at a time; nothing is
trained. A run that stopped early stays as short as it is. Adaptive runs never enter. Frames in, frames out;
imports the store and the rules, neither torch nor optuna.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from stability.outcomes.course import course_of, until
from stability.outcomes.outcome_rules import decide
from stability.reading.histories import NO_HISTORIES, HistoriesOf, sample_points
from stability.records import SUCCESSES, History, Outcome
from stability.spec import Thresholds
from stability.statistics.rates import ADAPTIVE, COLUMNS, NO_RUNS, SUCCESS, designed, rates_by

FACTORS = (0.5, 0.8, 1.25, 2.0)
"""What each threshold is multiplied by."""
HORIZONS = (0.5, 0.75)
"""Shares of the horizon at which the runs are labelled, too."""
DECIDING = (
    "nearly_excess",
    "nearly_modes",
    "nearly_recall",
    "nearly_distance",
    "new_ground",
    "learning_horizon",
    "lost_precision",
    "lost_diversity",
    "lost_modes",
    "good_precision",
    "good_modes",
    "saturated_separation",
    "saturated_update",
    "explosion",
    "persist",
)
"""Those on which success depends, the bars of stable being narrower than those of nearly stable; the others
only tell failures apart or decide about events."""
FROM_ONE = ("saturated_separation", "nearly_distance")
"""Their distance from 1 is multiplied instead: .99 becomes .98 at twice."""
WHOLE = ("persist",)

HORIZON, DEFAULT = "horizon", "as labelled"
MOST_RUNS = 400
RESAMPLES = 1000
VARIANTS = ("variant", "threshold", "value", "tau", "best", "best_changed", "n_changed", "n_runs", "reason")


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of labelling."""

    name: str
    threshold: str
    """What was moved; `HORIZON` for the horizon, empty for the default."""
    value: float
    thresholds: Thresholds
    horizon: int


@dataclass(frozen=True)
class Sensitivity:
    """What each change of a threshold or of the horizon does to the ranking."""

    factor: str
    rates: pd.DataFrame
    """`variant, threshold, value, level`, the columns of `rate` for success, and `rank` (1 is best)."""
    variants: pd.DataFrame
    """By variant: Kendall's `tau` with the default ranking, the `best` levels (joined by " / "), whether none
    of the default's best is among them, and how many labels changed, whatever to."""
    resampled: float
    """Share of point-bootstrap draws, labels as they are, in which none of the best levels comes first."""
    n_runs: int
    n_available: int
    n_stopped: int
    """Of the runs used, those that stopped before the horizon without having diverged."""
    reason: str = ""
    """Why there is nothing; empty where there is."""


def sensitivity(
    runs: pd.DataFrame,
    histories_of: HistoriesOf,
    *,
    factor: str,
    thresholds: Thresholds,
    horizon: int,
    rng: np.random.Generator,
) -> Sensitivity:
    """Label stored runs under every variant and rank a factor's levels by their share of successes.

    Above `MOST_RUNS` runs the points are drawn at random, whole points at a time. `thresholds` and `horizon`
    are those of the labels in `runs`.
    """
    fixed = designed(runs)
    used = sample_points(fixed, MOST_RUNS, rng).set_index("run", drop=False)
    ways = variants(thresholds, horizon)
    labels = _labels(histories_of(list(used["run"])), ways)
    used = used[used["run"].isin(labels.index)]
    if used.empty:
        reason = NO_RUNS if runs.empty else NO_HISTORIES if len(fixed) else ADAPTIVE
        nothing = pd.DataFrame(columns=["variant", "threshold", "value", "level", *COLUMNS, "rank"])
        return Sensitivity(
            factor, nothing, pd.DataFrame(columns=list(VARIANTS)), np.nan, 0, len(fixed), 0, reason
        )
    labels = labels.loc[used["run"]]
    rates = pd.concat([_rates(used, labels[way.name], factor, way) for way in ways], ignore_index=True)
    stopped = used["stopped"].astype(bool) & (labels[DEFAULT] != Outcome.DIVERGED)
    return Sensitivity(
        factor=factor,
        rates=rates,
        variants=pd.DataFrame([_compared(rates, labels, way) for way in ways], columns=list(VARIANTS)),
        resampled=_resampled(used, labels[DEFAULT], factor, rng),
        n_runs=len(used),
        n_available=len(fixed),
        n_stopped=int(stopped.sum()),
    )


def variants(thresholds: Thresholds, horizon: int) -> list[Variant]:
    """The default first, then every deciding threshold below and above its value, then shorter horizons."""
    ways = [Variant(DEFAULT, "", np.nan, thresholds, horizon)]
    for name in DECIDING:
        default = getattr(thresholds, name)
        moved = dict.fromkeys(_moved(name, default, factor) for factor in FACTORS)
        for value in sorted(value for value in moved if value != default):
            changed = thresholds.model_copy(update={name: value})
            ways.append(Variant(f"{name} {value:g}", name, float(value), changed, horizon))
    for share in HORIZONS:
        steps = round(share * horizon)
        ways.append(Variant(f"horizon {steps}", HORIZON, float(steps), thresholds, steps))
    return ways


def _moved(name: str, default: float, factor: float) -> float:
    """A threshold's value times a factor, within its limits; whole numbers move by one at least."""
    if name in WHOLE:
        return max(1, int(np.ceil(default * factor) if factor > 1 else np.floor(default * factor)))
    if name in FROM_ONE:
        return round(max(0.0, 1 - (1 - default) * factor), 12)
    is_share = name not in ("nearly_excess", "saturated_update", "explosion")
    value = round(default * factor, 12)
    return min(1.0, value) if is_share else value


def _labels(histories: Iterable[History], ways: Sequence[Variant]) -> pd.DataFrame:
    """The outcome of every run (rows) under every variant (columns)."""
    rows = {}
    horizons = list(dict.fromkeys(way.horizon for way in ways))
    for history in histories:
        courses = {horizon: course_of(until(history, horizon)) for horizon in horizons}
        rows[history.run] = {way.name: decide(courses[way.horizon], way.thresholds)[0].value for way in ways}
    return pd.DataFrame.from_dict(rows, orient="index", columns=[way.name for way in ways])


def _rates(runs: pd.DataFrame, labels: pd.Series, factor: str, way: Variant) -> pd.DataFrame:
    rates = rates_by(runs.assign(outcome=labels), factor, [SUCCESS])
    rank = rates["estimate"].rank(ascending=False, method="min").astype(int)
    columns = ["variant", "threshold", "value", "level", *COLUMNS, "rank"]
    named = rates.rename(columns={factor: "level"})
    return named.assign(variant=way.name, threshold=way.threshold, value=way.value, rank=rank)[columns]


def _compared(rates: pd.DataFrame, labels: pd.DataFrame, way: Variant) -> tuple[object, ...]:
    """One row of `Sensitivity.variants`."""
    default, here = (
        rates[rates["variant"] == name].set_index("level")["estimate"] for name in (DEFAULT, way.name)
    )
    best = [set(shares.index[shares == shares.max()]) for shares in (default, here)]
    tau, reason = np.nan, ""
    if len(here) < 2 or min(default.nunique(), here.nunique()) < 2:
        reason = "not estimable: all levels are equally successful, or there is but one"
    else:
        tau = float(kendalltau(default, here.loc[default.index]).statistic)
    n_changed = int((labels[way.name] != labels[DEFAULT]).sum())
    changed = not (best[0] & best[1])
    named = " / ".join(level for level in here.index if level in best[1])
    return way.name, way.threshold, way.value, tau, named, changed, n_changed, len(labels), reason


def _resampled(runs: pd.DataFrame, labels: pd.Series, factor: str, rng: np.random.Generator) -> float:
    """How often other points alone, drawn from the same ones, put none of the best levels first."""
    success = labels.isin(SUCCESSES).astype(float)
    sums, sizes = (
        values.groupby([runs["point"], runs[factor]], sort=False).sum().unstack(fill_value=0).to_numpy()
        for values in (success, success * 0 + 1)
    )
    draws = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=RESAMPLES)
    counts = draws @ sizes
    shares = np.divide(draws @ sums, counts, out=np.full(counts.shape, -1.0), where=counts > 0)
    overall = sums.sum(axis=0) / sizes.sum(axis=0)
    best = overall == overall.max()
    return float((shares[:, best].max(axis=1) < shares.max(axis=1)).mean())

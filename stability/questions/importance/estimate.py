"""Which parameters matter, for success and for the FID: permutation importance on held-out points.

A random forest predicts the runs of points that it has not seen. A parameter matters as far as the
predictions get worse when its values are shuffled among those points. A random number, one a point, is among
the parameters: what it gets is what a parameter gets that does nothing. Frames in, frames out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from stability.reading.factors import categorical, crossed_factors, numeric
from stability.reading.ordering import in_design_order
from stability.reading.unit_cube import one_hot, scale_of, unit_cube
from stability.records import Outcome
from stability.spec import StudySpec
from stability.statistics.held_out import point_folds, point_mean
from stability.statistics.rates import (
    COLUMNS,
    SUCCESS,
    designed,
    indicator,
    none_designed,
    unknown,
)

LOG_FID = "log_fid_ratio"
TARGETS = (SUCCESS, LOG_FID)

DUMMY = "random number"
"""The parameter that does nothing."""

SHARED_TRAINING = math.sqrt(2)
"""How much wider than the bootstrap's the intervals are. Points that test one fold's forest train the
others': what a useless parameter gains by chance is a sum over pairs of points, and every pair is counted
twice, once in either role. So its variance is twice that of a bootstrap that takes the forests as given.
Measured on 60 studies of 64 points: without it the dummy's interval held zero in 88 to 92%."""

NO_BETTER = "not estimable: the model predicts no better than the overall {}"
NOTHING_VARIED = "not estimable: no parameter was varied"
NO_FID = "not estimable: no run that was trained to the end has a finite FID"


LEFT_OUT = ("n_early", "n_missing", "n_unused")


@dataclass(frozen=True, slots=True)
class ImportanceRules:
    """How importance is measured."""

    folds: int = 5
    shuffles: int = 10
    trees: int = 100
    fewest_points: int = 10
    most_runs: int = 1500
    """Of more runs one seed of every trial is drawn, and then as many points as fit."""
    shrinkage: float = 0.05
    """How far a predicted probability is drawn towards the overall rate: no certainty is infinitely wrong."""


DEFAULT_RULES = ImportanceRules()


@dataclass(frozen=True, slots=True, eq=False)
class Importance:
    """Importance for both targets, as an increase of the held-out error."""

    rules: ImportanceRules
    parameters: pd.DataFrame
    """One row a target and parameter, the most important first, the dummy last: `target, parameter, dummy`
    and `rate`'s columns. The unit is that of the target's error: log-loss (natural logarithm) for success,
    squared difference of natural logarithms for `log_fid_ratio`."""
    scores: pd.DataFrame
    """Three rows a target: `target, score` (model, constant, gain: constant - model) and `rate`'s columns;
    then the runs left out: for the FID `n_early`, those that diverged or were stopped, whose last FID is that
    of an earlier step, and `n_missing`, the others without a finite FID; `n_unused` at random."""


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What the forest sees."""

    columns: NDArray[np.float64]
    """`[runs, columns]`"""
    owners: Mapping[str, NDArray[np.int64]]
    """The columns of each parameter."""
    crossed: frozenset[str]
    """Parameters that differ between the runs of a point."""
    points: NDArray[np.int64]
    """The number of each run's point."""

    def rarest(self, rows: NDArray[np.bool_]) -> int:
        """Of how many of these rows the rarest level of a crossed parameter is."""
        there = [self.columns[rows][:, self.owners[name]] for name in self.crossed & self.owners.keys()]
        sizes = [size for part in there for on in part.sum(axis=0) for size in (on, len(part) - on)]
        return int(min(sizes, default=rows.sum()))


def importance(
    runs: pd.DataFrame,
    spec: StudySpec,
    *,
    rng: np.random.Generator,
    rules: ImportanceRules = DEFAULT_RULES,
) -> Importance:
    """Measure the importance of every varied parameter; adaptive runs never enter.

    Runs of a variant that sets a range are left out. The order of the rows does not matter. The FID's part
    speaks of runs that were trained to the end.
    """
    set_by_some = [name for name in numeric(spec, runs) if spec.setting(name)]
    drawn = runs[runs[set_by_some].notna().all(axis=1)]
    fixed = in_design_order(designed(drawn), spec)
    parts = [_of_target(fixed, runs, spec, target, rng, rules) for target in TARGETS]
    parameters, scores = (pd.concat(frames, ignore_index=True) for frames in zip(*parts, strict=True))
    return Importance(rules, parameters, scores)


def most_important(found: Importance) -> tuple[str, ...]:
    """The parameters, the most important for success first; for the FID where that cannot be told.

    Empty where nothing can be told.
    """
    known = found.parameters[found.parameters["estimate"].notna() & ~found.parameters["dummy"].astype(bool)]
    for target in TARGETS:
        names = known.loc[known["target"] == target, "parameter"]
        if len(names):
            return tuple(str(name) for name in names)
    return ()


def _of_target(
    fixed: pd.DataFrame,
    runs: pd.DataFrame,
    spec: StudySpec,
    target: str,
    rng: np.random.Generator,
    rules: ImportanceRules,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    trained = fixed if target == SUCCESS else fixed[_to_the_end(fixed)]
    known = trained[np.isfinite(_values(trained, target))]
    used = _thinned(known, rules.most_runs, rng)
    y = _values(used, target)
    names = (*categorical(spec, runs), *numeric(spec, runs))
    sizes = -np.diff([len(part) for part in (fixed, trained, known, used)])
    counts = dict(zip(LEFT_OUT, sizes.tolist(), strict=True))
    reason = _why_not(runs, used, names, y, target, rules)
    if reason:
        none = unknown(reason, used["point"].nunique(), len(used))
        empty = dict.fromkeys((*names, DUMMY), none)
        scores = dict.fromkeys(("model", "constant", "gain"), none)
        return _parameter_rows(empty, target), _score_rows(scores, target, counts)
    inputs = _inputs(used, spec, rng)
    errors, increases = _held_out(inputs, y, target == SUCCESS, rng, rules)
    errors["gain"] = errors["constant"] - errors["model"]
    scores = {name: point_mean(error, inputs.points, rng=rng) for name, error in errors.items()}
    found = {
        name: point_mean(increase, inputs.points, rng=rng, widen=SHARED_TRAINING)
        for name, increase in increases.items()
    }
    if not float(scores["gain"]["estimate"]) > 0:
        no_better = NO_BETTER.format("rate" if target == SUCCESS else "mean")
        found = {name: unknown(no_better, used["point"].nunique(), len(used)) for name in found}
    return _parameter_rows(found, target), _score_rows(scores, target, counts)


def _values(runs: pd.DataFrame, target: str) -> NDArray[np.float64]:
    """The target of every run, NaN where it has none."""
    if target == SUCCESS:
        return indicator(runs, SUCCESS).to_numpy(dtype=np.float64)
    ratio = runs["fid_ratio"].to_numpy(dtype=np.float64)
    usable = np.isfinite(ratio) & (ratio > 0)
    return np.where(usable, np.log(np.where(usable, ratio, 1.0)), np.nan)


def _to_the_end(runs: pd.DataFrame) -> pd.Series:
    ended: pd.Series = runs["outcome"].ne(Outcome.DIVERGED) & ~runs["stopped"].astype(bool)
    return ended


def _thinned(runs: pd.DataFrame, most: int, rng: np.random.Generator) -> pd.DataFrame:
    """At most so many runs: seeds go first, since a point says more than another seed of it."""
    if len(runs) <= most:
        return runs
    shuffled = runs.iloc[rng.permutation(len(runs))]
    one_seed = shuffled.drop_duplicates("trial")
    points = rng.permutation(one_seed["point"].unique())
    sizes = one_seed["point"].value_counts().loc[points].cumsum()
    return one_seed[one_seed["point"].isin(points[sizes.to_numpy() <= most])]


def _why_not(
    runs: pd.DataFrame,
    used: pd.DataFrame,
    names: tuple[str, ...],
    y: NDArray[np.float64],
    target: str,
    rules: ImportanceRules,
) -> str:
    n_points = used["point"].nunique()
    if not names:
        return NOTHING_VARIED
    if used.empty:
        return NO_FID if len(designed(runs)) else none_designed(runs)
    if n_points < rules.fewest_points:
        return f"not estimable: {n_points} points are too few (fewer than {rules.fewest_points})"
    if np.ptp(y) == 0:
        how = "all runs" if y[0] == 1 else "no run"
        return f"not estimable: {how} succeeded" if target == SUCCESS else "not estimable: all FIDs agree"
    return ""


def _inputs(runs: pd.DataFrame, spec: StudySpec, rng: np.random.Generator) -> _Inputs:
    factors, ranges = categorical(spec, runs), numeric(spec, runs)
    hot, hot_owners = one_hot(runs, factors)
    cube = unit_cube(runs, tuple(scale_of(spec, name) for name in ranges))
    points = np.unique(runs["point"].to_numpy(), return_inverse=True)[1]
    dummy = rng.random(points.max() + 1)[points]
    owners = np.array([*hot_owners, *ranges, DUMMY])
    return _Inputs(
        np.column_stack([hot, cube, dummy]),
        {name: np.flatnonzero(owners == name) for name in (*factors, *ranges, DUMMY)},
        frozenset(crossed_factors(spec)),
        points,
    )


def _held_out(
    inputs: _Inputs, y: NDArray[np.float64], binary: bool, rng: np.random.Generator, rules: ImportanceRules
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """Each run's error by the model and by the constant, and how much each shuffled parameter adds to it."""
    errors = {name: np.empty(len(y)) for name in ("model", "constant")}
    increases = {name: np.empty(len(y)) for name in inputs.owners}
    fold = point_folds(inputs.points, rules.folds, rng=rng)
    for number in range(rules.folds):
        train, test = fold != number, fold == number
        forest = _Forest(inputs.columns[train], y[train], binary, rng, inputs.rarest(train), rules)
        errors["constant"][test] = forest.error(np.full(test.sum(), forest.overall), y[test])
        errors["model"][test] = forest.error(forest.predict(inputs.columns[test]), y[test])
        for name in inputs.owners:
            shuffled = _shuffled(inputs, name, test, rng, rules.shuffles)
            predicted = forest.predict(shuffled.reshape(-1, shuffled.shape[-1])).reshape(rules.shuffles, -1)
            increases[name][test] = forest.error(predicted, y[test]).mean(axis=0) - errors["model"][test]
    return errors, increases


def _shuffled(
    inputs: _Inputs, name: str, rows: NDArray[np.bool_], rng: np.random.Generator, times: int
) -> NDArray[np.float64]:
    """`[times, rows, columns]`, one parameter shuffled between points, or between rows if crossed."""
    there, columns = inputs.columns[rows], inputs.owners[name]
    copies = np.repeat(there[None], times, axis=0)
    _, first, owner = np.unique(inputs.points[rows], return_index=True, return_inverse=True)
    for copy in copies:
        crossed = name in inputs.crossed
        source = rng.permutation(len(there)) if crossed else rng.permutation(first)[owner]
        copy[:, columns] = there[np.ix_(source, columns)]
    return copies


class _Forest:
    """A forest for either kind of target, with its constant rival and its error."""

    def __init__(
        self,
        columns: NDArray[np.float64],
        y: NDArray[np.float64],
        binary: bool,
        rng: np.random.Generator,
        rarest: int,
        rules: ImportanceRules,
    ) -> None:
        kind = RandomForestClassifier if binary else RandomForestRegressor
        # Large leaves and half of the columns at a split: the runs of a point are alike, and a freer forest
        # learns single points by heart. On 28 points x 5 losses x 2 seeds, leaves of 10 and all columns lost
        # .05 to the overall rate; leaves of 20 to 40 and half of them gained .02 to .03. A level with fewer
        # rows than a leaf takes could never be split off, though.
        leaf = int(np.clip(len(y) // 10, 3, 30))
        leaf = leaf if rarest >= leaf else max(3, rarest // 2)
        seed = int(rng.integers(2**31))
        self.forest = kind(rules.trees, min_samples_leaf=leaf, max_features=0.5, random_state=seed)
        self.forest.fit(columns, y)
        self.binary, self.shrinkage = binary, rules.shrinkage
        self.overall = float((y.sum() + 0.5) / (len(y) + 1)) if binary else float(y.mean())

    def predict(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability of a yes, or the expected value, of every row."""
        if not self.binary:
            return np.asarray(self.forest.predict(columns), dtype=np.float64)
        shares = self.forest.predict_proba(columns) @ self.forest.classes_
        return np.asarray((1 - self.shrinkage) * shares + self.shrinkage * self.overall)

    def error(self, predicted: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-loss or squared error, of every prediction."""
        if not self.binary:
            return np.asarray((predicted - y) ** 2)
        return np.asarray(-np.log(np.where(y == 1, predicted, 1 - predicted)))


def _parameter_rows(found: Mapping[str, Mapping[str, float | int | str]], target: str) -> pd.DataFrame:
    rows = [
        {"target": target, "parameter": name, "dummy": name == DUMMY, **row} for name, row in found.items()
    ]
    frame = pd.DataFrame(rows, columns=["target", "parameter", "dummy", *COLUMNS])
    return frame.sort_values(["dummy", "estimate"], ascending=[True, False], kind="stable")


def _score_rows(
    scores: Mapping[str, Mapping[str, float | int | str]], target: str, counts: Mapping[str, int]
) -> pd.DataFrame:
    rows = [{"target": target, "score": name, **row, **counts} for name, row in scores.items()]
    return pd.DataFrame(rows, columns=["target", "score", *COLUMNS, *LEFT_OUT])

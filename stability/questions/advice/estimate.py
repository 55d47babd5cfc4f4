"""How likely a run at a setting succeeds, how the nearest runs ended, and which one change helps most.

Frames in, values out; imports no torch and no optuna. Crossed factors and named settings pick the runs: a
loss's chance comes from its own. How it is found, `chances` says.

Measured on 40 planted studies a case (a hill, a slope, a cliff and a constant over four ranges and a list;
one seed, 12 and 24 points) at 300 settings drawn as the points were: 95% bounds hold in 98.2 to 100%, at
the 15 of these with the highest bounds in 96.0 to 100%. Where success is rare, 2% nearly everywhere, in
99.3 and 95.0% at 12 points; of 60 such studies at 24 points the process's own bound at .99 held in 95.3 and
89.5%: the highest of many bounds is chosen by luck, too. Where nothing is to be known, it is said to be
better than the overall rate in 3 to 7% of the studies; with a cliff in 20% at 12 points and 60% at 24
(Brier score .162 against .260). Upper bounds, on 40 studies a case at 12 and 24 points of one seed, hold in
97.6 to 100%; where success is rare in 95.2 and 98.0%, and there a ninth of what is called unlikely succeeds
in just over half of the runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stability.questions.advice.answer import Advice, Change, Coarser
from stability.questions.advice.chances import NEAREST, predict
from stability.questions.advice.setting import Setting, read_setting
from stability.reading.atlas import about_atlas, atlas_for
from stability.reading.factors import categorical, level_text, levels
from stability.reading.frames import StudyFrames, load
from stability.reading.ordering import in_design_order
from stability.reading.study import Study
from stability.records import FAILURES, Outcome
from stability.spec.study import VARIANT
from stability.statistics.fit_rows import FEWEST_POINTS
from stability.statistics.rates import SUCCESS, designed, none_designed, rate
from stability.vocabulary.metrics import EVENTS

STEPS = 21
"""Values of a range that are tried as a change."""
NEAREST_COLUMNS = ("run", "outcome", "distance", "differs", "reason")
WRONG_COLUMNS = ("kind", "name", "n_runs")


def advise(
    results: str | Path | StudyFrames | None,
    setting: Mapping[str, Any],
    *,
    rng: np.random.Generator | None = None,
) -> Advice:
    """Say what a study (a results folder, or its frames) tells of a setting: `{"loss": "hinge", "lr": 2e-4}`.

    None stands for the atlas that ships, of the setting's architecture. Parameters are named as in the study
    file; also `variant` and `configuration`. What was never trained, or lies beyond a range, gets no number
    but a reason; so does a search, and a study of few points. Raises `StabilityError` for a parameter that
    there is not, a value that it cannot have, and as `load`.
    """
    study = Study(_frames(results, setting))
    runs = in_design_order(study.runs, study.frames.spec)
    asked = read_setting(setting, study.frames.spec, runs)
    fixed = designed(runs)
    here, outside = asked.picked(fixed), asked.outside(runs)
    unset = [name for name in study.varied if name not in asked.values]
    averaged = tuple(
        name for name in unset if asked.values.get(VARIANT) not in study.frames.spec.setting(name)
    )
    nearest = runs.head(0).assign(distance=0.0) if outside else asked.nearest(runs, NEAREST)
    nearest = nearest.assign(differs=asked.apart(nearest, averaged))
    advice = Advice(
        setting=asked.values,
        source=about_atlas(study.frames) if results is None else "",
        folder="" if results is None else str(study.frames.folder),
        averaged=averaged,
        horizon=study.frames.spec.training.steps,
        reason=outside or why_not(runs, here),
        n_points=here["point"].nunique(),
        n_runs=len(here),
        unit=study.unit,
        nearest=nearest[list(NEAREST_COLUMNS)].reset_index(drop=True),
        wrong=_wrong(nearest),
        own=asked.own(fixed),
        coarser=None if outside else _coarser(asked, fixed),
    )
    return advice if advice.reason else _with_chance(advice, asked, fixed, rng or np.random.default_rng(0))


def _frames(results: str | Path | StudyFrames | None, setting: Mapping[str, Any]) -> StudyFrames:
    if results is None:
        return atlas_for(setting)
    return results if isinstance(results, StudyFrames) else load(results)


def why_not(runs: pd.DataFrame, here: pd.DataFrame) -> str:
    """Why the runs that a setting picks allow no chance, or empty."""
    n_points = here["point"].nunique()
    if here.empty:
        return none_designed(runs)
    if n_points < FEWEST_POINTS:
        few = "1 point is" if n_points == 1 else f"{n_points} points are"
        return f"not estimable: {few} too few for a chance, which takes {FEWEST_POINTS}"
    return ""


def _wrong(nearest: pd.DataFrame) -> pd.DataFrame:
    unsuccessful = (*FAILURES, Outcome.LEARNING)
    counts = {("outcome", str(name)): int(nearest["outcome"].eq(name).sum()) for name in unsuccessful}
    counts |= {("event", name): int(nearest[name].astype(bool).sum()) for name in EVENTS}
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    rows = [(kind, name, count) for (kind, name), count in ranked if count]
    return pd.DataFrame(rows, columns=list(WRONG_COLUMNS))


def _coarser(asked: Setting, fixed: pd.DataFrame) -> Coarser | None:
    whole = asked.coarser(fixed)
    there = whole.picked(fixed)
    if not asked.axes or not whole.values or there["point"].nunique() < FEWEST_POINTS:
        return None
    row = rate(there, SUCCESS).iloc[0]
    share, low, high = (float(row[name]) for name in ("estimate", "ci_low", "ci_high"))
    return Coarser(whole.values, share, low, high, int(row["n_points"]), int(row["n_runs"]))


def _with_chance(advice: Advice, asked: Setting, fixed: pd.DataFrame, rng: np.random.Generator) -> Advice:
    here = asked.picked(fixed)
    moves = _moves(asked, here)
    places = [asked.place(), *(asked.place(**{name: value}) for name, value in moves)]
    found = predict(asked, here, pd.concat(places, ignore_index=True), deepcopy(rng))
    chance, low, high = (float(found_of[0]) for found_of in (found.chance, found.ci_low, found.ci_high))
    changes = [
        Change(name, value, after, bound)
        for (name, value), after, bound in zip(
            moves, found.chance[1:].tolist(), found.ci_low[1:].tolist(), strict=True
        )
    ]
    changes += _other_picks(asked, fixed, rng)
    raising = [change for change in changes if change.chance > chance and change.ci_low > low]
    best = max(raising, key=lambda change: change.ci_low, default=None)
    return replace(advice, chance=chance, ci_low=low, ci_high=high, brier=found.brier, change=best)


def _moves(asked: Setting, here: pd.DataFrame) -> list[tuple[str, Any]]:
    """Other values of the drawn parameters, in short numbers, and other levels that were drawn."""
    moves: list[tuple[str, Any]] = []
    for scale in asked.scales:
        short = [float(f"{value:.2g}") for value in scale.from_unit(np.linspace(0, 1, STEPS))]
        inside = [round(v) if scale.integer else v for v in short if scale.low <= v <= scale.high]
        moves += [(scale.name, value) for value in dict.fromkeys(inside)]
    for name in asked.drawn:
        trained = dict.fromkeys(level_text(level) for level in here[name])
        moves += [(name, level) for level in trained if level != asked.values[name]]
    return moves


def _other_picks(asked: Setting, fixed: pd.DataFrame, rng: np.random.Generator) -> Iterator[Change]:
    """Every other level of a factor that picks the runs, as far as it has points enough.

    Each draws what all draw: levels differ by their runs, and by no luck of the folds.
    """
    for name in [name for name in categorical(asked.spec, fixed) if name in asked.picks]:
        for level in levels(asked.spec, name):
            other = replace(asked, values=asked.values | {name: level})
            runs = other.picked(fixed)
            if level != level_text(asked.values[name]) and not why_not(fixed, runs):
                there = predict(other, runs, asked.place(), deepcopy(rng))
                yield Change(name, level, float(there.chance[0]), float(there.ci_low[0]))

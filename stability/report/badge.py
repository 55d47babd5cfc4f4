"""How much a study can bear, in one badge: whether its numbers are rates, and how exact they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import pandas as pd

from stability.page_kit.estimate import Estimate, rows_of
from stability.page_kit.words import percent, plural
from stability.questions.all import Estimates
from stability.reading.study import Study
from stability.report.facts import cautions

COARSE = 0.25
"""Rates that may be off by more than this show what can happen, not how often."""
GOOD = 0.1
"""How exact a rate should be to plan with."""


@dataclass(frozen=True, slots=True)
class Badge:
    """What stands on the badge, and what it means in full."""

    text: str
    bears_rates: bool
    sentences: tuple[str, ...]


def honesty(estimates: Estimates) -> Badge:
    """The badge of a study with its cautions."""
    text, bears_rates, sentences = _judged(estimates)
    study, planned = estimates.study, len(estimates.study.frames.plan.runs)
    if 0 < len(study.runs) < planned:
        text += f", {len(study.runs):,} of {plural(planned, 'run')} so far"
    return Badge(text, bears_rates, (*sentences, *cautions(study)))


def _judged(estimates: Estimates) -> tuple[str, bool, tuple[str, ...]]:
    study, success = estimates.study, estimates.verdict.success
    if study.runs.empty:
        return "nothing has finished yet", False, ()
    if not study.estimable:
        kind = "observed runs" if study.frames.spec.observed else "a search"
        return f"{kind}: counts, no rates", False, ()
    units = _units(study, success, estimates.factor)
    if estimates.findings is None or Estimate.of(rows_of(success)[0]).is_thin:
        few = f"{units} show what can happen, not how often: no rate can be told from so little."
        return f"demonstration: {units}", False, (few, _needed(study, len(success)))
    within = float((success["ci_high"] - success["ci_low"]).max()) / 2
    exact = f"The success rate is known to ±{percent(within)} (in percentage points) or better."
    at_once = _at_once(study, len(success))
    if within > COARSE:
        few = f"{units} show what can happen, hardly how often."
        return f"demonstration: {units}", False, (few, exact, *at_once, _needed(study, len(success)))
    return f"rates to within ±{percent(within)}", True, (exact, *at_once)


def _units(study: Study, success: pd.DataFrame, factor: str) -> str:
    """So many as stand behind the rates: each level's own, where levels share none."""
    n_all, per_level = study.comparable(factor)["point"].nunique(), success["n_points"].unique()
    counted = plural(n_all, study.unit)
    if len(per_level) == 1 and per_level[0] < n_all:
        counted = f"{plural(int(per_level[0]), study.unit)} each"
    return counted if study.unit == "point" else f"{counted}, not settings"


def _at_once(study: Study, n_levels: int) -> tuple[str, ...]:
    """Why these intervals are wider than those of the tables."""
    if study.main_factor is None or n_levels < 2:
        return ()
    which = "both" if n_levels == 2 else f"all {n_levels}"
    return (
        f"That holds for {which} levels of {study.main_factor} at once (Bonferroni), as do the intervals of "
        "success rates in the sentences, so that the best is not flattered by having been picked; bars and "
        "tables give each its own.",
    )


def _needed(study: Study, n_levels: int) -> str:
    """Units for GOOD in the worst case, a share of a half, with one run of each level at every unit."""
    quantile = NormalDist().inv_cdf(1 - 0.05 / n_levels / 2)
    n_needed = (quantile * 0.5 / GOOD) ** 2
    digits = 1 - math.floor(math.log10(n_needed))
    return f"For ±{percent(GOOD)} it takes about {round(n_needed, digits):,.0f} {study.unit}s."

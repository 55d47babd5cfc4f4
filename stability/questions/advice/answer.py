"""What a study says of one setting, as values and in words. Imports no torch and no optuna."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from stability.page_kit.words import at_least, listed, number, percent, percent_between, plural, spaced, verb
from stability.questions.advice.chances import NEAREST, is_better, no_brier
from stability.reading.factors import Unit
from stability.records import SUCCESSES, Outcome

Verdict = Literal["likely", "unlikely", "cannot tell"]
EVEN = 0.5
"""What likely means: more often than not."""


@dataclass(frozen=True, slots=True)
class Change:
    """One parameter at another value, all others as they were set."""

    parameter: str
    value: Any
    chance: float
    ci_low: float
    """Of many values the one with the highest bound: it flatters itself a little."""


@dataclass(frozen=True, slots=True)
class Coarser:
    """What all runs at the setting's levels say, whatever else was set: their rate, as `rate` has it."""

    setting: dict[str, Any]
    chance: float
    ci_low: float
    ci_high: float
    """Both ends of Wilson's 95% interval over points."""
    n_points: int
    n_runs: int

    def says_more(self, low: float, high: float) -> bool:
        """Whether an end of its interval is tighter than these bounds."""
        return self.ci_low > low or self.ci_high < high


@dataclass(frozen=True, slots=True, eq=False)
class Advice:
    """What a study says of one setting; printed, it reads as in a terminal."""

    setting: dict[str, Any]
    source: str
    """Which atlas answers, where no study was named; else empty."""
    folder: str
    """The study's, where its runs can be looked at; else empty."""
    averaged: tuple[str, ...]
    """Parameters that the study varied and the setting leaves open."""
    horizon: int
    """Steps of a run, at the last of which its outcome is told."""
    reason: str
    """Why there is no chance, or empty."""
    n_points: int
    """That the chance rests on."""
    n_runs: int
    unit: Unit
    """What `n_points` counts."""
    nearest: pd.DataFrame
    """All runs of the `NEAREST` nearest points, the first the nearest, those as near as the last too:
    `run, outcome, distance, differs, reason`, as `Setting.nearest` and `Setting.apart`."""
    wrong: pd.DataFrame
    """How many of these did not succeed, and in which way: `kind` (outcome, event), `name, n_runs`, the
    commonest first."""
    own: dict[str, Any] = field(default_factory=dict)
    """The levels of the setting that pick some runs from others: chance, bounds and `brier` are of these."""
    chance: float = np.nan
    """Of a run at the setting to end stable or nearly stable; NaN with a reason."""
    ci_low: float = np.nan
    """Its lower 95% bound, never above it: the process's, of its normal latent function at
    `LATENT_CONFIDENCE`. Wilson's of the `NEAREST` points where all runs ended alike, and of all points where
    nothing was set that differs between them."""
    ci_high: float = np.nan
    """Its upper 95% bound, never below it, found in the same way; each bound is one-sided."""
    brier: pd.DataFrame = field(default_factory=no_brier)
    """Out of fold, whole points held out: `score` (advice, overall rate, difference) and `rate`'s columns;
    lower is better. Empty where no process was fitted."""
    coarser: Coarser | None = None
    """Of all levels that were set, without the values on ranges; None where there is no less to be said."""
    change: Change | None = None
    """Of all changes of one parameter that raise the chance and its bound, the one with the highest bound."""

    @property
    def verdict(self) -> Verdict:
        """Whether more such runs succeed than not: `likely` or `unlikely` where the bound says so, for sure.

        A run that still learns is no failure: where most of the nearest did, `unlikely` is not said.
        """
        if self.ci_low > EVEN:
            return "likely"
        return "unlikely" if self.ci_high < EVEN and not self.too_short else "cannot tell"

    @property
    def too_short(self) -> bool:
        """Whether most of the nearest runs were still learning at the horizon."""
        return 2 * int(self.nearest["outcome"].eq(Outcome.LEARNING).sum()) > len(self.nearest)

    @property
    def sure(self) -> bool:
        """Whether the bound after the change is above the chance before it."""
        return self.change is not None and self.change.ci_low > self.chance

    @property
    def better(self) -> bool:
        """Whether the advice predicts unseen points better than the overall rate, by the whole interval."""
        return is_better(self.brier)

    def __str__(self) -> str:
        """A verdict, the chance and how well it is known, the nearest runs, what went wrong, what helps."""
        lines = [_setting(self.setting), *([f"from     {self.source}"] if self.source else [])]
        lines.append(f"answer   {_answer(self)}")
        if len(self.nearest) or not self.reason:
            lines.append(f"chance   {self.reason or _chance(self)}")
        if self.coarser and self.coarser.says_more(self.ci_low, self.ci_high):
            lines.append(f"coarser  {_coarser(self.coarser, self.unit)}")
        if len(self.brier):
            lines.append(f"tested   {_tested(self)}")
        if len(self.nearest):
            lines += _nearest(self.nearest)
            lines.append(f"wrong    {_wrong(self)}")
        if not self.reason:
            lines.append(f"change   {_change(self)}")
        if len(self.nearest) and self.folder:
            lines.append(f"look     {self.look(self.nearest['run'].iloc[0])}")
        return "\n".join(lines)

    def look(self, run: str) -> str:
        """The command that shows a run of the study's folder."""
        return f"stability show {shlex.quote(self.folder)} {run}"


def _setting(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {number(value)}" for name, value in values.items())


def _answer(found: Advice) -> str:
    within = "" if found.verdict == "cannot tell" else f" to succeed within {found.horizon:,} steps"
    return f"{found.verdict}{within}: {_ends(found) if len(found.nearest) else found.reason}"


def _ends(found: Advice) -> str:
    """How many of the nearest runs succeeded, failed and did neither, the commonest first."""
    outcomes = found.nearest["outcome"]
    learning, succeeded = int(outcomes.eq(Outcome.LEARNING).sum()), int(outcomes.isin(SUCCESSES).sum())
    counts = {
        "succeeded": succeeded,
        "failed": len(outcomes) - learning - succeeded,
        f"{verb(learning, 'was', 'were')} still learning at step {found.horizon:,}": learning,
    }
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    told = listed([f"{count:,} {words}" for words, count in ranked if count])
    return f"of the {plural(len(outcomes), 'nearest run')} {told}"


def _chance(found: Advice) -> str:
    over = f", averaged over {listed(found.averaged)}" if found.averaged else ""
    told = f"{plural(found.n_runs, 'run')} at {plural(found.n_points, found.unit)}"
    bound = f"at least {at_least(found.ci_low)} (95% bound)"
    ends = f"to end stable or nearly so within {found.horizon:,} steps"
    return f"{percent(found.chance)} {ends}, {bound}, by {told}{over}"


def _coarser(found: Coarser, unit: Unit) -> str:
    told = f"{plural(found.n_runs, 'run')} at {plural(found.n_points, unit)}"
    between = percent_between(found.ci_low, found.ci_high)
    return f"{_setting(found.setting)} alone: {percent(found.chance)} {between}, by {told}"


def _tested(found: Advice) -> str:
    advice, overall, difference = found.brier["estimate"]
    how = "better" if found.better else "not surely better" if difference < 0 else "worse"
    of = f" of {_setting(found.own)}" if found.own else ""
    scores = f"Brier score {number(advice)}, {how} than the overall rate's {number(overall)}"
    return f"on points{of} that were left out, {scores} (0 is best)"


def _nearest(runs: pd.DataFrame) -> list[str]:
    lines = [
        f"nearest  {run}  {outcome}  {differs or 'as asked'}"
        for run, outcome, differs in runs[["run", "outcome", "differs"]].iloc[:NEAREST].to_numpy()
    ]
    return lines + ([f"nearest  and {len(runs) - NEAREST:,} more"] if len(runs) > NEAREST else [])


def _wrong(found: Advice) -> str:
    of = f"of the {len(found.nearest)} nearest runs"
    told = {kind: rows[["name", "n_runs"]].to_numpy() for kind, rows in found.wrong.groupby("kind")}
    if "outcome" not in told:
        return f"nothing: all {of} succeeded"
    words = {Outcome.LEARNING: f"still learning at step {found.horizon:,}", Outcome.NOISE: "ended as noise"}
    ends = ", ".join(f"{count} {words.get(name, name)}" for name, count in told["outcome"])
    events = "".join(f"; {spaced(name)} in {count}" for name, count in told.get("event", ())[:1])
    return f"{of} {ends}{events}"


def _change(found: Advice) -> str:
    change = found.change
    if change is None:
        return "no single change is seen to raise it"
    sure = "" if found.sure else "; that it is higher there is not sure"
    before = number(found.setting[change.parameter])
    there = f"{percent(change.chance)}, at least {at_least(change.ci_low)}"
    short = f"; this is for a training of {found.horizon:,} steps" if found.too_short else ""
    return f"{change.parameter} {before} -> {number(change.value)}: {there}{sure}{short}"

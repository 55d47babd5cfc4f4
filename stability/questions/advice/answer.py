"""What a study says of one setting, as values and in words. Imports no torch and no optuna."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from stability.page_kit.words import at_least, listed, number, percent, plural, spaced
from stability.questions.advice.chances import NEAREST, is_better, no_brier
from stability.reading.factors import Unit
from stability.records import Outcome


@dataclass(frozen=True, slots=True)
class Change:
    """One parameter at another value, all others as they were set."""

    parameter: str
    value: Any
    chance: float
    ci_low: float
    """Of many values the one with the highest bound: it flatters itself a little."""


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
    chance: float = np.nan
    """Of a run at the setting to end stable or nearly stable; NaN with a reason."""
    ci_low: float = np.nan
    """Its lower 95% bound, never above it: the process's, of its normal latent function at
    `LATENT_CONFIDENCE`. Wilson's of the `NEAREST` points where all runs ended alike, and of all points where
    nothing was set that differs between them."""
    brier: pd.DataFrame = field(default_factory=no_brier)
    """Out of fold, whole points held out: `score` (advice, overall rate, difference) and `rate`'s columns;
    lower is better. Empty where no process was fitted."""
    change: Change | None = None
    """Of all changes of one parameter that raise the chance and its bound, the one with the highest bound."""

    @property
    def sure(self) -> bool:
        """Whether the bound after the change is above the chance before it."""
        return self.change is not None and self.change.ci_low > self.chance

    @property
    def better(self) -> bool:
        """Whether the advice predicts unseen points better than the overall rate, by the whole interval."""
        return is_better(self.brier)

    def __str__(self) -> str:
        """How likely, how well that is known, the nearest runs, what went wrong there, what would help."""
        lines = [_setting(self.setting), *([f"from     {self.source}"] if self.source else [])]
        lines.append(f"chance   {self.reason or _chance(self)}")
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


def _chance(found: Advice) -> str:
    over = f", averaged over {listed(found.averaged)}" if found.averaged else ""
    told = f"{plural(found.n_runs, 'run')} at {plural(found.n_points, found.unit)}"
    bound = f"at least {at_least(found.ci_low)} (95% bound)"
    return f"{percent(found.chance)} to end stable or nearly so, {bound}, by {told}{over}"


def _tested(found: Advice) -> str:
    advice, overall = found.brier["estimate"].iloc[:2]
    how = "better" if found.better else "not surely better: the parameters that were set tell little"
    return f"on points left out, Brier score {number(advice)}, of the overall rate {number(overall)}: {how}"


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
    return f"{change.parameter} {before} -> {number(change.value)}: {there}{sure}"

"""What the page says about the study itself: how it was drawn, what is fixed, what its numbers can bear."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from stability.analysis.factors import (
    categorical,
    crossed_factors,
    level_text,
    levels,
    numeric,
    with_text_levels,
)
from stability.analysis.frames import StudyFrames
from stability.analysis.verdict import Verdict, verdict
from stability.report.palette import LOOKS
from stability.report.words import listed, number, plural
from stability.spec import Choice, Range, Thresholds

ALL = "study"
"""Stands where a factor does when nothing was compared; its one level is `all runs`."""

SAMPLERS = {
    "sobol": "Sobol (scrambled), fixed before the first run",
    "random": "random, fixed before the first run",
    "grid": "grid, fixed before the first run",
    "tpe": "TPE, a search that learns from its results",
}


@dataclass(frozen=True)
class Study:
    """The frames, with the factors' levels as text and in the page's order."""

    frames: StudyFrames

    @cached_property
    def factors(self) -> tuple[str, ...]:
        """The factors whose levels are compared."""
        return categorical(self.frames.spec, self.frames.runs)

    @cached_property
    def main_factor(self) -> str | None:
        """The factor of the headline: the loss where there are several."""
        return self.factors[0] if self.factors else None

    @cached_property
    def runs(self) -> pd.DataFrame:
        """The finished runs, adaptive ones included."""
        return with_text_levels(self.frames.runs, self.factors).assign(**{ALL: "all runs"})

    @cached_property
    def estimable(self) -> bool:
        """Whether rates may be estimated at all."""
        return bool((~self.runs["adaptive"].astype(bool)).any())

    @cached_property
    def verdict(self) -> Verdict:
        """The headline's estimates."""
        return verdict(self.runs, self.main_factor)

    @cached_property
    def varied(self) -> tuple[str, ...]:
        """Every parameter that differs between runs by design, factors first."""
        return (*self.factors, *numeric(self.frames.spec, self.frames.runs))

    @cached_property
    def outcomes(self) -> tuple[str, ...]:
        """The outcomes that occurred, in the legend's order."""
        seen = set(self.runs["outcome"])
        return tuple(str(outcome) for outcome in LOOKS if outcome in seen)

    def order(self, factor: str) -> tuple[str, ...]:
        """A factor's levels among the finished runs: the most often stable first, if that is estimable."""
        if factor == ALL:
            return ("all runs",)
        seen = set(self.runs[factor])
        listed_levels = [level for level in levels(self.frames.spec, factor) if level in seen]
        if not self.estimable:
            return tuple(listed_levels)
        stable = self.runs["outcome"].eq("stable").groupby(self.runs[factor]).mean()
        return tuple(sorted(listed_levels, key=lambda level: -stable[level]))


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the banner."""

    name: str
    text: str


def facts(study: Study) -> list[Fact]:
    """How the study was made, in the order in which a reviewer asks."""
    frames, spec = study.frames, study.frames.spec
    crossed = [name for name in crossed_factors(spec) if name in study.factors]
    features = sorted(set(frames.evaluations["features"])) if len(frames.evaluations) else []
    n_points = len({run.point for run in frames.plan.runs})
    rates = (
        "estimable" if study.estimable else "not estimable" if len(frames.runs) else "nothing to estimate yet"
    )
    return [
        Fact("Runs", f"{len(frames.runs):,} finished of {len(frames.plan.runs):,} planned"),
        Fact("Rates", rates),
        Fact("Sampler", SAMPLERS[spec.design.sampler]),
        Fact("Points", f"{plural(n_points, 'point')}, {plural(spec.design.seeds, 'seed')} each"),
        Fact("Crossed", f"{listed(crossed)}: every level at every point" if crossed else "nothing"),
        Fact("Horizon", plural(spec.training.steps, "step")),
        Fact(
            "Early stop", f"when {listed(spec.training.stop_on, 'or')}" if spec.training.stop_on else "never"
        ),
        Fact("Visits", f"every {spec.recording.evaluate_every:,} steps, {spec.recording.samples:,} samples"),
        Fact(
            "Data", spec.dataset + (f", measured with the features of {listed(features)}" if features else "")
        ),
        Fact("Device", f"{frames.plan.device}, {plural(frames.plan.threads, 'thread')}"),
    ]


def cautions(study: Study) -> list[str]:
    """What the numbers cannot bear, in sentences."""
    spec, finished, planned = study.frames.spec, len(study.frames.runs), len(study.frames.plan.runs)
    sentences = []
    if 0 < finished < planned:
        sentences.append(
            f"{plural(planned - finished, 'run')} of {planned:,} are not finished. Which runs finish first "
            "can depend on how they train, so every share may still move."
        )
    if not study.estimable:
        if finished:
            sentences.append(
                "The sampler chose points in the light of earlier results. Their shares describe the search, "
                "not the space: no rate is estimated from them."
            )
        return sentences
    sentences.append("Every rate is an average over the space below: another range gives another rate.")
    if spec.design.sampler == "grid":
        sentences.append(
            "Points lie on a grid; intervals read them as if they had been drawn from the space."
        )
    if spec.design.seeds == 1:
        sentences.append(
            "With one seed a point, luck of the seed and effect of the configuration are not separated."
        )
    if set(spec.training.stop_on) - {"diverged"}:
        sentences.append(
            "Runs that were stopped early keep their label; whether they would have recovered is unknown."
        )
    return sentences


@dataclass(frozen=True, slots=True)
class PriorRow:
    """How one parameter was set."""

    name: str
    values: str
    how: str


def prior(study: Study) -> list[PriorRow]:
    """The space that was sampled, then what was fixed."""
    spec = study.frames.spec
    verb = "searched" if spec.design.sampler == "tpe" else "drawn"
    crossed = crossed_factors(spec)
    rows = []
    for name, domain in spec.space.items():
        if isinstance(domain, Range):
            rows.append(
                PriorRow(name, f"{number(domain.low)} to {number(domain.high)}", _scale(domain, verb))
            )
        elif isinstance(domain, Choice):
            how = "crossed" if name in crossed else verb
            rows.append(PriorRow(name, ", ".join(level_text(value) for value in domain.values), how))
    return rows + [PriorRow(name, number(value), "fixed") for name, value in spec.fixed.items()]


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """One threshold of the outcome rules."""

    name: str
    value: str
    default: str
    changed: bool
    meaning: str


def thresholds(study: Study) -> list[ThresholdRow]:
    """Every threshold with its value, its default and its meaning."""
    set_here = study.frames.spec.outcomes
    rows = []
    for name, field in Thresholds.model_fields.items():
        value = getattr(set_here, name)
        meaning = (field.description or "").replace("...", "…")
        rows.append(ThresholdRow(name, number(value), number(field.default), value != field.default, meaning))
    return rows


def _scale(domain: Range, verb: str) -> str:
    scale = "log-uniformly" if domain.log else "uniformly"
    levels_text = f", {domain.levels} levels" if domain.levels else ""
    return f"{verb} {scale}{', whole numbers' if domain.integer else ''}{levels_text}"

"""What the page says about the study itself: how it was drawn, what is fixed, what its numbers can bear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from stability import __version__
from stability.page_kit.words import MOST_NAMED, listed, number, plural
from stability.reading.factors import level_text
from stability.reading.study import Study
from stability.spec import Choice, Range, StudySpec, Thresholds
from stability.spec.study import CONFIGURATION, UNDECLARED, VARIANT
from stability.store import Store
from stability.store.observed import under_way

SAMPLERS = {
    "sobol": "Sobol (scrambled), fixed before the first run",
    "random": "random, fixed before the first run",
    "grid": "grid, fixed before the first run",
    "given": "none: configurations given by hand",
    "tpe": "TPE, a search that learns from its results",
}


SEARCHED = (
    "The sampler chose points in the light of earlier results. Their shares describe the search, not the "
    "space: no rate is estimated from them."
)
NOT_SAID = (
    "These runs were trained by a loop of their owner's, with settings that may have been chosen in the "
    "light of earlier results: what happened is counted, and no rate is estimated."
)


UNITS = {
    "point": "the point: its seeds and crossed levels are not independent",
    "seed": "the seed: nothing here speaks of settings that were not trained",
}
"""What intervals and tests count as independent."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the banner."""

    name: str
    text: str


def facts(study: Study) -> list[Fact]:
    """How the study was made, in the order in which a reviewer asks."""
    frames, spec = study.frames, study.frames.spec
    crossed = [name for name in spec.crossed if name in study.factors]
    features = sorted(set(frames.evaluations["features"])) if len(frames.evaluations) else []
    n_points = len({run.point for run in frames.plan.runs})
    rates = (
        "estimable" if study.estimable else "not estimable" if len(frames.runs) else "nothing to estimate yet"
    )
    return [
        Fact("Runs", f"{len(frames.runs):,} finished of {len(frames.plan.runs):,} planned"),
        Fact("Rates", rates),
        Fact("Sampler", _sampler(spec)),
        Fact("Points", f"{plural(n_points, 'point')}, {plural(spec.design.seeds, 'seed')} each"),
        Fact("Unit", UNITS[study.unit]),
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


def _sampler(spec: StudySpec) -> str:
    if not spec.observed:
        return SAMPLERS[spec.design.sampler]
    if spec.design.sampler == UNDECLARED:
        return "nobody said how the settings of these runs were chosen"
    return f"{spec.design.sampler}, as the runs' owner says"


def about(study: Study, written: date) -> str:
    """What was trained, when the page was written, and by which version, in a line."""
    frames, spec, factor = study.frames, study.frames.spec, study.main_factor
    levels = [] if factor is None else [_levels(factor, study.runs[factor].nunique())]
    parts = [
        f"{plural(len(frames.plan.runs), 'GAN')} on {spec.dataset}",
        *levels,
        plural(spec.training.steps, "step"),
    ]
    return f"{', '.join(parts)}; page of {written:%-d %B %Y}, stability {__version__}"


def _levels(factor: str, n: int) -> str:
    if factor in (VARIANT, CONFIGURATION):
        return plural(n, factor)
    return f"{n} losses" if factor == "loss" else f"{plural(n, 'level')} of {factor}"


def cautions(study: Study) -> list[str]:
    """What the numbers cannot bear, in sentences."""
    spec, finished, planned = study.frames.spec, len(study.frames.runs), len(study.frames.plan.runs)
    sentences = []
    if 0 < finished < planned:
        sentences.append(
            f"{plural(planned - finished, 'run')} of {planned:,} are not finished. Which runs finish first "
            "can depend on how they train, so every share may still move."
        )
    if going := under_way(Store(study.frames.folder, study.frames.plan)) if spec.observed else ():
        sentences.append(f"Not known to be over, so shown as far as they had come: {_some(going)}.")
    sentences += _unlike_processors(study)
    if not study.estimable:
        if finished:
            sentences.append(NOT_SAID if spec.observed else SEARCHED)
        return sentences
    sentences += _left_out(study)
    sentences.append(_reach(study))
    sentences += [_set_by_variants(study, name) for name in sorted(spec.overridden)]
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


def _unlike_processors(study: Study) -> list[str]:
    """Which cohorts were trained on which processor, if not all on the same."""
    cohorts = study.frames.runs.groupby("processor")["cohort"].unique()
    if len(cohorts) < 2:
        return []
    told = "; ".join(f"{processor or 'unknown'}: {_some(names)}" for processor, names in cohorts.items())
    return [
        "Cohorts were trained on unlike processors, on which equal seeds give records that part, first in "
        f"their last digits: {told}."
    ]


def _some(names: Sequence[str]) -> str:
    return listed(names[:MOST_NAMED]) + (" and others" if len(names) > MOST_NAMED else "")


def _reach(study: Study) -> str:
    """Of what the rates are averages, and over what their intervals are."""
    configs = study.frames.spec.configs
    if study.unit == "seed":
        settings = "Every configuration was" if configs else "One setting was"
        return (
            f"{settings} trained with several seeds, which are the units of every interval and test, also "
            "where this page counts points: it is over seeds and says nothing of other settings."
        )
    if configs:
        return (
            "The configurations were given by hand: a rate over several of them is of these alone and "
            "estimates no space."
        )
    return "Every rate is an average over the space below: another range gives another rate."


def _set_by_variants(study: Study, name: str) -> str:
    """What comes of a parameter that a point draws and some variant sets."""
    if name not in study.varied:
        return f"Some variant sets {name} itself, so nothing is told of what else was drawn of it."
    setting = study.frames.spec.setting(name)
    which = f"variant {setting[0]} sets" if len(setting) == 1 else f"variants {listed(setting)} set"
    return f"The {which} {name}: runs of that have no part in maps, boxes, thirds of {name} and what matters."


def _left_out(study: Study) -> list[str]:
    """Which runs have no part in a comparison, because other levels have not finished at their settings."""
    sentences = []
    for factor in study.factors:
        n_left_out = len(study.runs) - len(study.comparable(factor))
        if n_left_out == len(study.runs):
            sentences.append(
                f"The levels of {factor} have no finished setting in common yet: nothing is ranked."
            )
        elif n_left_out:
            sentences.append(
                f"{plural(n_left_out, 'run')} left out of comparisons of {factor}: not every level of it has "
                "finished at the same settings."
            )
    return sentences


@dataclass(frozen=True, slots=True)
class PriorRow:
    """How one parameter was set."""

    name: str
    values: str
    how: str


def prior(study: Study) -> list[PriorRow]:
    """The space that was sampled, then what was fixed, then what was set by name."""
    spec = study.frames.spec
    verb = "searched" if spec.design.sampler == "tpe" else "seen" if spec.observed else "drawn"
    rows = []
    for name, domain in spec.space.items():
        if isinstance(domain, Range):
            rows.append(
                PriorRow(name, f"{number(domain.low)} to {number(domain.high)}", _scale(domain, verb))
            )
        elif isinstance(domain, Choice):
            how = "crossed" if name in spec.crossed else verb
            rows.append(PriorRow(name, ", ".join(level_text(value) for value in domain.values), how))
    rows += [PriorRow(name, number(value), "fixed") for name, value in spec.fixed.items()]
    first = next(iter(spec.variants), None)
    named = {(name, "baseline" if name == first else "variant"): own for name, own in spec.variants.items()}
    named |= {(name, "configuration"): own for name, own in spec.configs.items()}
    return rows + [PriorRow(name, _settings(own), how) for (name, how), own in named.items()]


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {number(value)}" for name, value in values.items()) or "as fixed and drawn"


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
        is_set = value != field.default
        rows.append(ThresholdRow(name, _shown(value), _shown(field.default), is_set, meaning))
    return rows


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else number(value)


def _scale(domain: Range, verb: str) -> str:
    if verb == "seen":
        return "lowest and highest"
    scale = "log-uniformly" if domain.log else "uniformly"
    levels_text = f", {domain.levels} levels" if domain.levels else ""
    return f"{verb} {scale}{', whole numbers' if domain.integer else ''}{levels_text}"

"""Everything a report says of a study, estimated once: the same numbers for the page, for JSON and for CSV.

Imports only what estimates; draws nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from stability.questions.autopsy.estimate import Autopsies, autopsies
from stability.questions.comparison.estimate import Comparison, Family, compare_levels
from stability.questions.comparison.same_runs import same_runs
from stability.questions.cost.estimate import costs_by
from stability.questions.early_stop.estimate import EarlyStops, early_stops
from stability.questions.early_warning.estimate import EarlyWarning, early_warning
from stability.questions.importance.estimate import Importance, importance, most_important
from stability.questions.outcomes.verdict import Verdict, verdict
from stability.questions.seed_or_configuration.estimate import Variance, variance_shares
from stability.questions.sensitivity.estimate import Sensitivity, sensitivity
from stability.questions.stable_region.estimate import StabilityMap, stability_map
from stability.questions.stable_region.safe_box import SafeBoxes, safe_boxes
from stability.questions.subspaces.estimate import subbox_rates
from stability.questions.time_to_event.estimate import Survival, time_to_event
from stability.questions.time_to_event.incidence import Incidence, incidence
from stability.reading.factors import baseline, crossed_factors
from stability.reading.frames import StudyFrames
from stability.reading.histories import histories_of
from stability.reading.study import ALL, Study
from stability.records import EventKind
from stability.spec.study import CONFIGURATION
from stability.statistics.best_of_k import best_of
from stability.statistics.rates import RATED, SUCCESS, counts_by, rates_by
from stability.vocabulary.metrics import RECORDED

SEED = 20
"""Of everything that draws: the same study gives the same numbers."""

COMPARED = (SUCCESS, "collapse_ever", "saturation_ever")
"""What the levels of the main factor are compared by, pair by pair."""

AUTOPSIED = (EventKind.COLLAPSE, EventKind.SATURATION)


F = TypeVar("F", bound=Callable[..., Any])
Tell = Callable[[str], None]
"""Takes a few words on what is begun."""


def silent(_: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Findings:
    """What takes a design: nothing of it is estimated from a search's points."""

    comparisons: tuple[Comparison, ...]
    """For each of COMPARED; empty where nothing is compared."""
    same_runs: pd.DataFrame
    """How often two levels of the main factor trained the very same run."""
    costs: pd.DataFrame
    subboxes: pd.DataFrame
    survival: Survival
    incidence: Incidence
    regions: StabilityMap
    boxes: SafeBoxes
    importance: Importance
    autopsies: tuple[Autopsies, ...]
    """For each of AUTOPSIED."""
    warning: EarlyWarning
    early_stops: EarlyStops
    variance: Variance
    budget: pd.DataFrame
    sensitivity: Sensitivity


@dataclass(frozen=True)
class Estimates:
    """The estimates of one study; what could not be estimated says why in its `reason`."""

    study: Study
    factor: str
    """What was compared; `study` where nothing was."""
    verdict: Verdict
    counts: Mapping[str, pd.DataFrame]
    """By factor, as `counts_by` gives them: what happened, adaptive runs included."""
    rates: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """By factor, as `rates_by` gives them; none of a search, nor where a factor's levels share no setting."""
    findings: Findings | None = None
    """None of a search, while nothing has finished, or while the main factor's levels share no setting."""
    autopsies: tuple[Autopsies, ...] = ()
    """For each of AUTOPSIED, of observed runs that allow no estimate: single runs, none of their shares."""

    def tables(self) -> dict[str, pd.DataFrame]:
        """Every estimate as a tidy frame by name, for JSON and CSV."""
        tables = {f"counts_by_{factor}": frame for factor, frame in self.counts.items()}
        tables |= {f"rates_by_{factor}": frame for factor, frame in self.rates.items()}
        if self.findings is not None:
            tables |= dict(_frames_of(self.findings, ""))
        return tables


def estimate(study: Study, tell: Tell = silent) -> Estimates:
    """Estimate everything that the study's design allows; `tell` is told of each part that takes a while."""
    tell("estimating rates")
    factors = study.factors or (ALL,)
    counts = {factor: counts_by(study.runs, factor) for factor in factors}
    runs = study.comparable(factors[0])
    if not study.estimable:
        found = verdict(study.runs, study.main_factor, unit=study.unit)
        single = _autopsies(study) if study.frames.spec.observed else ()
        return Estimates(study, factors[0], found, counts, autopsies=single)
    rates = {factor: _rates(study, factor) for factor in factors if len(study.comparable(factor))}
    if runs.empty:  # its levels have nothing in common yet, so none is ranked
        return Estimates(study, factors[0], verdict(study.runs, None, unit=study.unit), counts, rates)
    tell("estimating what matters")
    matters = importance(study.runs, study.frames.spec, rng=_rng(2))
    study = study.mapped_over(most_important(matters))
    findings = _findings(study, factors[0], matters, tell)
    return Estimates(
        study=study,
        factor=factors[0],
        verdict=verdict(runs, study.main_factor, _of_all_pairs(study, findings), unit=study.unit),
        counts=counts,
        rates=rates,
        findings=findings,
    )


def _rates(study: Study, factor: str) -> pd.DataFrame:
    return rates_by(study.comparable(factor), factor, RATED)


def _findings(study: Study, factor: str, matters: Importance, tell: Tell) -> Findings:
    """Levels of the factor are compared at shared settings; what looks at single runs takes all of them."""

    def saying(what: str, function: F) -> F:
        """The function, once it has been told what it will estimate."""
        tell(f"estimating {what}")
        return function

    frames, runs, spec = study.frames, study.runs, study.frames.spec
    events, visits, shared = frames.events, frames.evaluations, study.comparable(factor)
    return Findings(
        comparisons=saying("differences", _comparisons)(study) if study.main_factor else (),
        same_runs=same_runs(
            shared, frames.source, factor, crossed_factors(spec), horizon=frames.plan.horizon
        ),
        costs=costs_by(shared, events, factor),
        subboxes=subbox_rates(shared, spec, factor),
        survival=saying("the time to collapse", time_to_event)(
            shared, events, visits, factor, baseline=baseline(spec, factor)
        ),
        incidence=incidence(shared, events, visits, factor),
        regions=saying("the map", stability_map)(runs, spec, study.map_axes, rng=_rng(0)),
        boxes=saying("safe ranges", safe_boxes)(shared, spec, study.main_factor, rng=_rng(1)),
        importance=matters,
        autopsies=saying("how failures begin", _autopsies)(study),
        warning=saying("early warnings", early_warning)(
            runs, frames.records_at_visits(list(RECORDED)), visits, events, spec=spec, rng=_rng(4)
        ),
        early_stops=saying("early stops", stops_of)(frames, runs),
        variance=variance_shares(shared, factor),
        budget=best_of(shared, factor),
        sensitivity=saying("other thresholds", sensitivity)(
            shared,
            histories_of(frames),
            factor=factor,
            thresholds=spec.outcomes,
            horizon=frames.plan.horizon,
            rng=_rng(5),
        ),
    )


def _autopsies(study: Study) -> tuple[Autopsies, ...]:
    frames, runs = study.frames, study.runs
    return tuple(
        autopsies(
            runs,
            frames.events,
            frames.evaluations,
            frames.records_of,
            spec=frames.spec,
            rng=_rng(3),
            kind=kind,
        )
        for kind in AUTOPSIED
    )


def stops_of(frames: StudyFrames, runs: pd.DataFrame) -> EarlyStops:
    """The early stop on trial on a study's runs; those that `sensitivity` draws, where both draw."""
    return early_stops(
        runs,
        histories_of(frames),
        thresholds=frames.spec.outcomes,
        horizon=frames.plan.horizon,
        rng=_rng(5),
        stop_on=frames.spec.training.stop_on,
    )


def _comparisons(study: Study) -> tuple[Comparison, ...]:
    """Of the main factor; of configurations none, since each is a single point."""
    factor = study.factors[0]
    if factor == CONFIGURATION:
        return ()
    return tuple(_compare(study, event, baseline(study.frames.spec, factor)) for event in COMPARED)


def _compare(study: Study, event: str, against: str | None) -> Comparison:
    factor = study.factors[0]
    crossed = factor in crossed_factors(study.frames.spec)
    return compare_levels(
        study.runs, factor, event, crossed=crossed, rng=_rng(6), varied=study.varied, family=Family(against)
    )


def _of_all_pairs(study: Study, findings: Findings) -> Comparison | None:
    """That of success which ranks the levels: a baseline's comparisons say nothing of the others' order."""
    first = next(iter(findings.comparisons), None)
    return first if first is None or first.baseline is None else _compare(study, first.event, None)


def _rng(part: int) -> np.random.Generator:
    """A stream of its own for every part, so that a change in one moves no other."""
    return np.random.default_rng([SEED, part])


def _frames_of(result: Any, name: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Every frame within a result, named by the fields on the way to it."""
    if isinstance(result, pd.DataFrame):
        yield name, result
    elif isinstance(result, tuple):
        for part in result:
            kind = getattr(part, "event", None) or getattr(part, "kind", None)
            if kind is not None:
                yield from _frames_of(part, f"{name}_{kind}")
    elif dataclasses.is_dataclass(result) and not isinstance(result, type):
        for item in dataclasses.fields(result):
            inner = getattr(result, item.name)
            yield from _frames_of(inner, f"{name}_{item.name}" if name else item.name)

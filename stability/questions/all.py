"""Everything a report says of a study, estimated once: the same numbers for the page, for JSON and for CSV.

Imports what estimates, and what the page makes of it; draws nothing until it is asked to.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from stability.questions import (
    autopsy,
    comparison,
    cost,
    early_stop,
    early_warning,
    importance,
    seed_or_configuration,
    sensitivity,
    stable_region,
    subspaces,
    time_to_event,
)
from stability.questions.autopsy.estimate import Autopsies, autopsies_of
from stability.questions.importance.estimate import importance as importance_of
from stability.questions.importance.estimate import most_important
from stability.questions.outcomes.verdict import Verdict, verdict
from stability.questions.question import Asked, Question, seeded
from stability.reading.study import ALL, Study
from stability.statistics.rates import RATED, counts_by, rates_by

PARTS: dict[str, tuple[str, tuple[Question, ...]]] = {
    "map": ("Where it succeeds", (stable_region.QUESTION, subspaces.ALONG)),
    "compare": ("Comparison", (comparison.QUESTION, cost.QUESTION, subspaces.QUESTION)),
    "matters": ("What matters", (importance.QUESTION,)),
    "autopsies": ("How it goes wrong", (autopsy.QUESTION,)),
    "time": ("Time to collapse", (time_to_event.QUESTION,)),
    "warning": ("Early warning", (early_warning.QUESTION, early_stop.QUESTION)),
    "trust": ("How far to trust it", (seed_or_configuration.QUESTION, sensitivity.QUESTION)),
}
"""The page's sections in their order, each with title and questions. How runs end comes before all."""

Findings = Mapping[str, Any]
"""The results of all questions by name."""

Tell = Callable[[str], None]
"""Takes a few words on what is begun."""


def silent(_: str) -> None:
    """Tell nobody."""


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
            for name, result in self.findings.items():
                tables |= _frames_of(result, name)
        return tables


def estimate(study: Study, tell: Tell = silent) -> Estimates:
    """Estimate everything that the study's design allows; `tell` is told of each part that takes a while."""
    tell("estimating rates")
    factors = study.factors or (ALL,)
    counts = {factor: counts_by(study.runs, factor) for factor in factors}
    runs = study.comparable(factors[0])
    if not study.estimable:
        found = verdict(study.runs, study.main_factor, unit=study.unit)
        single = autopsies_of(study) if study.frames.spec.observed else ()
        return Estimates(study, factors[0], found, counts, autopsies=single)
    rates = {factor: _rates(study, factor) for factor in factors if len(study.comparable(factor))}
    if runs.empty:  # its levels have nothing in common yet, so none is ranked
        return Estimates(study, factors[0], verdict(study.runs, None, unit=study.unit), counts, rates)
    tell("estimating what matters")
    matters = importance_of(study.runs, study.frames.spec, rng=seeded(2))
    study = study.mapped_over(most_important(matters))
    findings = _findings(Asked(study, matters), tell)
    of_success = next(iter(findings["comparisons"]), None)
    return Estimates(
        study=study,
        factor=study.compared,
        verdict=verdict(runs, study.main_factor, of_success, unit=study.unit),
        counts=counts,
        rates=rates,
        findings=findings,
    )


def _rates(study: Study, factor: str) -> pd.DataFrame:
    return rates_by(study.comparable(factor), factor, RATED)


def _findings(asked: Asked, tell: Tell) -> Findings:
    found: dict[str, Any] = {}
    for question in (question for _, questions in PARTS.values() for question in questions):
        if question.told:
            tell(f"estimating {question.told}")
        found |= zip(question.names, question.estimate(asked), strict=True)
    return found


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
            yield from _frames_of(inner, f"{name}_{item.name}")

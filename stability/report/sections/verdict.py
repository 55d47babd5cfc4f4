"""The first screen: the safest setting with its lower bound, the worst, and what cannot be said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from stability.analysis.boxes import SafeBoxes
from stability.analysis.estimates import Estimates
from stability.analysis.verdict import FAILURES, Verdict
from stability.report.words import (
    MOST_NAMED,
    at_least,
    is_thin,
    level_name,
    listed,
    number,
    percent,
    percent_between,
    plural,
    some_of,
)


@dataclass(frozen=True, slots=True)
class Tile:
    """One of the first screen's three answers."""

    title: str
    lead: str
    sentences: tuple[str, ...]
    link: str = ""
    link_text: str = ""


def tiles(estimates: Estimates) -> list[Tile]:
    """What to do, what to avoid, and what to take with care; nothing where no rate is estimable."""
    if estimates.findings is None:
        return []
    return [_safest(estimates.findings.boxes), _worst(estimates), _unsaid(estimates)]


SAFE = 0.5
"""What succeeds less often than this, by its lower bound, is not called safe."""


def _safest(boxes: SafeBoxes) -> Tile:
    if boxes.reason:
        return _safest_level(boxes, boxes.reason)
    row = boxes.boxes[boxes.boxes["chosen"]].iloc[0]
    if not _is_bounded(row):
        return _safest_level(boxes, str(row["reason"]) or "no box holds successes")
    level = "" if boxes.factor is None else level_name(boxes.factor, str(row["level"]))
    lead = ", ".join(part for part in (level, *_narrowed(boxes, str(row["level"]))) if part) or "anywhere"
    size = "the whole space" if row["volume"] == 1 else f"{percent(row['volume'])} of the space"
    sentences = (*_bounded(row, boxes, "such runs"), f"It is {size} that was sampled.")
    return Tile(_title(row), lead, sentences, "safe-box", "The box, ready to paste")


def _title(row: Any) -> str:
    return "Safest setting found" if row["ci_low"] >= SAFE else "Best setting found: not safe"


def _bounded(row: Any, boxes: SafeBoxes, which: str) -> tuple[str, ...]:
    """What its bound promises, and what it rests on."""
    sure = percent(boxes.rules.confidence)
    return (
        f"At least {at_least(row['ci_low'])} of {which} succeed, with {sure} confidence.",
        f"{some_of(row['estimate'], int(row['n_runs'])).capitalize()} did, at "
        f"{plural(int(row['n_points']), 'point')} that had no say in choosing it.",
    )


def _narrowed(boxes: SafeBoxes, level: str) -> list[str]:
    edges = boxes.edges[(boxes.edges["level"] == level) & ~boxes.edges["whole"].astype(bool)]
    return [
        f"{row['parameter']} {number(row['low'])} to {number(row['high'])}"
        for row in edges.to_dict("records")
    ]


def _safest_level(boxes: SafeBoxes, why: str) -> Tile:
    """Without a box: the level whose rate was chosen on half of the points and bounded on the other."""
    why = why.removeprefix("not estimable: ")
    if len(boxes.safest) and _is_bounded(boxes.safest.iloc[0]):
        row = boxes.safest.iloc[0]
        level = str(row["level"]) if boxes.factor is None else level_name(boxes.factor, str(row["level"]))
        return Tile(_title(row), level, (*_bounded(row, boxes, "its runs"), f"No narrower box: {why}."))
    return Tile("Safest setting found", "", (f"Nothing here can be called safe: {why}.",))


def _is_bounded(row: Any) -> bool:
    """Whether there were successes, at points enough for a lower bound."""
    return bool(row["estimate"] > 0 and pd.notna(row["ci_low"]))


def _worst(estimates: Estimates) -> Tile:
    verdict = estimates.verdict
    title = "What goes wrong most"
    if verdict.factor is None or verdict.failures.empty or is_thin(verdict.success.iloc[-1]):
        return Tile(title, "", _failure_sentences(verdict.failures))
    lowest = verdict.success[verdict.success["estimate"] == verdict.success["estimate"].min()]
    if len(lowest) == len(verdict.success):
        return Tile(title, "", _failure_sentences(verdict.failures))
    row, levels = lowest.iloc[0], [str(level) for level in lowest[verdict.factor]]
    failures = [name for level in levels for name in _failures_of(estimates, verdict.factor, level)]
    how = f"They end {listed(list(dict.fromkeys(failures)))} most often." if failures else ""
    bounds = percent_between(row["ci_low"], row["ci_high"])
    each = " each" if len(levels) > 1 else ""
    first = f"{some_of(row['estimate'], int(row['n_runs'])).capitalize()}{each} succeeded {bounds}."
    return Tile(
        title,
        listed([level_name(verdict.factor, level) for level in levels]),
        tuple(text for text in (first, how, "The interval holds for all levels at once.") if text),
        f"shares-by-{verdict.factor.replace('_', '-')}",
        "All outcomes",
    )


def _failures_of(estimates: Estimates, factor: str, level: str) -> list[str]:
    """The most frequent failure of a level, or several at a tie."""
    rates = estimates.rates[factor]
    here = rates[(rates[factor] == level) & rates["event"].isin([str(name) for name in FAILURES])]
    top = here["estimate"].max()
    return [str(name) for name in here.loc[here["estimate"] == top, "event"]] if top > 0 else []


def _failure_sentences(failures: pd.DataFrame) -> tuple[str, ...]:
    if failures.empty:
        return ("No run failed.",)
    return tuple(_failure_sentence(row) for row in failures.head(3).to_dict("records"))


def _failure_sentence(row: Mapping[Any, Any]) -> str:
    bounds = percent_between(row["ci_low"], row["ci_high"])
    return f"{row['event']}: {some_of(row['estimate'], int(row['n_runs']))} {bounds}."


def _unsaid(estimates: Estimates) -> Tile:
    """What a reader might take from the page although the design does not bear it."""
    study, verdict = estimates.study, estimates.verdict
    sentences = []
    if verdict.overlapping and not is_thin(verdict.success.iloc[0]):
        sentences.append(_unranked(verdict))
    learning = verdict.learning.iloc[0]
    if learning["estimate"] > 0:
        sentences.append(
            f"How {percent(learning['estimate'])} of the runs would have ended: they were still learning "
            f"at step {study.frames.spec.training.steps:,}."
        )
    if study.frames.spec.design.seeds == 1:
        sentences.append("What another seed would have done: every configuration was trained once.")
    sentences.append(
        f"Anything outside the space below, or about other data than {study.frames.spec.dataset}."
    )
    return Tile("What this study cannot say", "", tuple(sentences), "design", "What these numbers rest on")


def _unranked(verdict: Verdict) -> str:
    factor = str(verdict.factor)
    best = listed([level_name(factor, level) for level in verdict.best])
    others = [level_name(factor, level) for level in verdict.overlapping]
    than = listed(others, "or") if len(others) <= MOST_NAMED else f"{len(others)} others"
    why = "compared point by point they are too close" if verdict.paired else "the intervals overlap"
    return f"Whether {best} {'is' if len(verdict.best) == 1 else 'are'} better than {than}: {why}."

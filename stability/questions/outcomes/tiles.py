"""The first screen: the safest setting with its lower bound, the worst, and what cannot be said."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from stability.page_kit.estimate import Estimate, Row, rows_of
from stability.page_kit.words import (
    MOST_NAMED,
    at_least,
    bare_reason,
    level_name,
    listed,
    percent,
    plural,
    slug,
    verb,
)
from stability.questions.all import Estimates
from stability.questions.outcomes.verdict import Verdict
from stability.questions.stable_region.safe_box import SafeBoxes
from stability.questions.stable_region.section import narrowed
from stability.records import FAILURES


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
    return [_safest(estimates.findings["boxes"]), _worst(estimates), _unsaid(estimates)]


SAFE = 0.5
"""What succeeds less often than this, by its lower bound, is not called safe."""


def _safest(boxes: SafeBoxes) -> Tile:
    if boxes.reason:
        return _safest_level(boxes, boxes.reason)
    row = rows_of(boxes.boxes[boxes.boxes["chosen"]])[0]
    if not _is_bounded(row):
        return _safest_level(boxes, str(row["reason"]) or "no box holds successes")
    level = "" if boxes.factor is None else level_name(boxes.factor, str(row["level"]))
    lead = ", ".join(part for part in (level, *narrowed(boxes, str(row["level"]))) if part) or "anywhere"
    size = "the whole space" if row["volume"] == 1 else f"{percent(row['volume'])} of the space"
    sentences = (*_bounded(row, boxes, "such runs"), f"It is {size} that was sampled.")
    return Tile(_title(row), lead, sentences, "safe-box", "The box, ready to paste")


def _title(row: Row) -> str:
    return "Safest setting found" if row["ci_low"] >= SAFE else "Best setting found: not safe"


def _bounded(row: Row, boxes: SafeBoxes, which: str) -> tuple[str, ...]:
    """What its bound promises, and what it rests on."""
    rate, sure = Estimate.of(row), percent(boxes.rules.confidence)
    return (
        f"At least {at_least(rate.ci_low)} of {which} succeed, with {sure} confidence.",
        f"{rate.some_of().capitalize()} did, at {plural(rate.n_points, 'point')} that had no say in "
        "choosing it.",
    )


def _safest_level(boxes: SafeBoxes, why: str) -> Tile:
    """Without a box: the level whose rate was chosen on half of the points and bounded on the other."""
    why = bare_reason(why)
    row = next(iter(rows_of(boxes.safest)), None)
    if row is not None and _is_bounded(row):
        level = str(row["level"]) if boxes.factor is None else level_name(boxes.factor, str(row["level"]))
        return Tile(_title(row), level, (*_bounded(row, boxes, "its runs"), f"No narrower box: {why}."))
    return Tile("Safest setting found", "", (f"Nothing here can be called safe: {why}.",))


def _is_bounded(row: Row) -> bool:
    """Whether there were successes, at points enough for a lower bound."""
    return bool(row["estimate"] > 0 and pd.notna(row["ci_low"]))


def _worst(estimates: Estimates) -> Tile:
    verdict = estimates.verdict
    title = "What goes wrong most"
    worst = Estimate.of(rows_of(verdict.success)[-1])
    lowest = verdict.success[verdict.success["estimate"] == worst.value]
    if (
        verdict.factor is None
        or verdict.failures.empty
        or worst.is_thin
        or len(lowest) == len(verdict.success)
    ):
        return Tile(title, "", _failure_sentences(verdict.failures))
    levels = [str(level) for level in lowest[verdict.factor]]
    failures = [name for level in levels for name in _failures_of(estimates, verdict.factor, level)]
    how = f"They end {listed(list(dict.fromkeys(failures)))} most often." if failures else ""
    each = " each" if len(levels) > 1 else ""
    first = f"{worst.some_of().capitalize()}{each} succeeded {worst.percent_between}."
    return Tile(
        title,
        listed([level_name(verdict.factor, level) for level in levels]),
        tuple(text for text in (first, how, "The interval holds for all levels at once.") if text),
        f"shares-by-{slug(verdict.factor)}",
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
    rates = {row["event"]: Estimate.of(row) for row in rows_of(failures.head(3))}
    return tuple(f"{event}: {rate.some_of()} {rate.percent_between}." for event, rate in rates.items())


def _unsaid(estimates: Estimates) -> Tile:
    """What a reader might take from the page although the design does not bear it."""
    study, verdict = estimates.study, estimates.verdict
    sentences = []
    if verdict.overlapping and not Estimate.of(rows_of(verdict.success)[0]).is_thin:
        sentences.append(_unranked(verdict))
    learning = Estimate.of(rows_of(verdict.learning)[0])
    if learning.value > 0:
        sentences.append(
            f"How {percent(learning.value)} of the runs would have ended: they were still learning "
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
    if verdict.baseline is not None:
        beside, does = (
            level_name(factor, verdict.baseline),
            verb(len(others), "helps or hurts", "help or hurt"),
        )
        return f"Whether {than} {does} beside {beside}: {why}."
    return f"Whether {best} {verb(len(verdict.best), 'is', 'are')} better than {than}: {why}."

"""The study in a few sentences: which level succeeded most often, what cannot be ranked, what went wrong."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from stability.page_kit.estimate import Estimate, rows_of
from stability.page_kit.words import MOST_NAMED, capital, level_name, listed, percent, plural, verb
from stability.questions.outcomes.verdict import Verdict
from stability.records import SUCCESSES
from stability.spec.study import UNDECLARED


def headline(verdict: Verdict) -> list[str]:
    """The study in one to five sentences; the first is the one to remember."""
    if not verdict.estimable:
        return []
    sentences = _overall(verdict) if verdict.factor is None else _comparison(verdict)
    return [*sentences, _failure(verdict), *_learning(verdict)]


def adaptive_headline(outcomes: pd.Series, sampler: str) -> list[str]:
    """What may be said of a search, or of runs that were chosen nobody knows how: what was found, no rate."""
    n_success = int(outcomes.isin(SUCCESSES).sum())
    if sampler == UNDECLARED:
        seen = f"Of {plural(len(outcomes), 'observed run')} {n_success:,} ended stable or nearly so."
        return [seen, "Rates are not estimable: nobody said how the settings were drawn."]
    found = f"The search found {plural(n_success, 'successful run')} among {len(outcomes):,}."
    why = f"Rates are not estimable: {sampler} chose its points in the light of earlier results."
    return [found, why]


def _successes(verdict: Verdict) -> list[Estimate]:
    return [Estimate.of(row) for row in rows_of(verdict.success)]


def _overall(verdict: Verdict) -> list[str]:
    rate = _successes(verdict)[0]
    first = f"{rate.of_runs()} ended stable or nearly so, {_over(verdict, rate)}."
    return [capital(first), *([f"{_too_few(verdict, rate)} for a rate."] if rate.is_thin else [])]


def _comparison(verdict: Verdict) -> list[str]:
    rates = _successes(verdict)
    if rates[0].value == 0:
        return [_none_succeeded(verdict, rates)]
    best = rates[: len(verdict.best)]
    names = _several(verdict, verdict.best, most=len(best))
    tied = 1 < len(best) == len(rates)
    how = "equally often" if tied else "most often"
    shares = list(dict.fromkeys(rate.of_runs(_holds(len(rates), tied=tied)) for rate in best))
    each = " each" if len(shares) < len(best) else ""
    over = _over(verdict, best[0])
    first = f"{names} succeeded {how}: {listed(shares)}{each} ended stable or nearly so, {over}."
    if best[0].is_thin:
        return [first, f"{_too_few(verdict, best[0])} for rates or a ranking."]
    if verdict.baseline is not None:
        return [_beside_baseline(verdict, verdict.baseline), first]
    return [first, *(_paired_rivals(verdict) if verdict.paired else _unpaired_rivals(verdict))]


def _beside_baseline(verdict: Verdict, baseline: str) -> str:
    """Which levels help, which hurt, and of how many that cannot be told."""
    beside, these = level_name(str(verdict.factor), baseline), f"these {verdict.unit}s"
    sides = {"more": verdict.above, "less": verdict.below}
    told = [f"{how} often with {_several(verdict, levels)}" for how, levels in sides.items() if levels]
    n_rest = len(verdict.overlapping)
    if not told:
        one = _several(verdict, verdict.overlapping) if n_rest == 1 else f"any of {n_rest} variants"
        return f"Whether {one} helps or hurts beside “{beside}”, {these} cannot tell."
    rest = f"; of {plural(n_rest, 'other')} {these} cannot tell" if n_rest else ""
    return f"Compared with “{beside}”, runs succeeded {listed(told)}{rest}."


def _none_succeeded(verdict: Verdict, rates: Sequence[Estimate]) -> str:
    widest = max(rates, key=lambda rate: (rate.ci_high != rate.ci_high, rate.ci_high))  # none is the widest
    at_once = _holds(len(rates), tied=True)
    bound = f"shares up to {percent(widest.ci_high)} remain possible{at_once and f' ({at_once})'}"
    if widest.is_thin:
        few = _too_few(verdict, widest)
        bound = f"{few[0].lower()}{few[1:]} to tell whether others would"
    return f"No run ended stable or nearly so, under any {verdict.factor}; {bound}."


def _holds(n_levels: int, *, tied: bool) -> str:
    """Of what the intervals of the best hold: they are wider than each level's own."""
    if n_levels < 2:
        return ""
    if tied:
        return "for both at once" if n_levels == 2 else f"for all {n_levels} at once"
    return "as the better of 2" if n_levels == 2 else f"as the best of {n_levels}"


def _over(verdict: Verdict, rate: Estimate) -> str:
    """What a rate speaks of: points stand for the space, seeds for nothing but their setting."""
    counted = f"over {plural(rate.n_points, verdict.unit)}"
    return counted if verdict.unit == "point" else f"{counted}, not settings"


def _too_few(verdict: Verdict, rate: Estimate) -> str:
    n, unit = rate.n_points, verdict.unit
    return f"A single {unit} is too few" if n == 1 else f"{n:,} {unit}s are too few"


def _paired_rivals(verdict: Verdict) -> list[str]:
    sentences, unit = [], verdict.unit
    if verdict.below:
        names = _several(verdict, verdict.below)
        sentences.append(f"Compared {unit} by {unit}, {names} succeeded less often.")
    if verdict.overlapping:
        differ = verb(len(verdict.overlapping), "differs", "differ")
        names, best = _several(verdict, verdict.overlapping, "or"), _several(verdict, verdict.best)
        sentences.append(f"Whether {names} {differ} from {best}, these {unit}s cannot tell.")
    return sentences


def _unpaired_rivals(verdict: Verdict) -> list[str]:
    sentences = []
    if verdict.below:
        lie = verb(len(verdict.below), "lies", "lie")
        sentences.append(f"{_several(verdict, verdict.below)} {lie} clearly below, interval and all.")
    if verdict.overlapping:
        intervals = verb(len(verdict.best), "interval", "intervals")
        overlap = verb(len(verdict.best), "overlaps", "overlap")
        those = verb(len(verdict.overlapping), "that", "those")
        names, best = _several(verdict, verdict.overlapping), _several(verdict, verdict.best)
        sentences.append(
            f"The {intervals} of {best} {overlap} with {those} of {names}: this comparison does not rank "
            "them."
        )
    return sentences


def _several(verdict: Verdict, levels: Sequence[str], last: str = "and", most: int = MOST_NAMED) -> str:
    """Levels by name, or by their number where they are many."""
    if len(levels) > most:
        return f"{len(levels)} of the levels"
    return listed([f"“{level_name(str(verdict.factor), level)}”" for level in levels], last)


def _failure(verdict: Verdict) -> str:
    if verdict.failures.empty:
        return "No run failed."
    most = verdict.failures[verdict.failures["estimate"] == verdict.failures["estimate"].iloc[0]]
    rates = {row["event"]: Estimate.of(row) for row in rows_of(most)}
    first = next(iter(rates.values()))
    if len(rates) == 1:
        return f"The most frequent failure: {next(iter(rates))}, {first.of_runs()}."
    if any(rate.is_thin for rate in rates.values()):
        return f"The most frequent failures: {listed(list(rates))}, {first.counted()} each."
    names = listed([f"{event}, {rate.percent()}" for event, rate in rates.items()])
    return f"The most frequent failures: {names} of {first.runs}."


def _learning(verdict: Verdict) -> list[str]:
    rate = Estimate.of(rows_of(verdict.learning)[0])
    if not rate.value > 0:
        return []
    return [f"Still learning at the horizon: {rate.of_runs()}; a longer one would move these shares."]

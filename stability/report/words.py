"""Numbers and findings in words. Text in, text out: no frames are estimated here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from stability.analysis.factors import level_text
from stability.analysis.verdict import Verdict
from stability.records import SUCCESSES
from stability.spec.study import UNDECLARED

NOTHING = "–"
"""Printed where there is no number."""

MOST_NAMED = 5
"""A sentence names no more levels than this."""

PLAIN_WORDS = frozenset({"none", "true", "false"})

WIDE = 0.8
"""An interval of shares wider than this says next to nothing: sentences count the runs instead."""


def share(value: float) -> str:
    """A share in [0, 1] with two digits, as in `.47`; three where two would round to all or nothing."""
    if math.isnan(value):
        return NOTHING
    if value in (0.0, 1.0):
        return f"{value:.0f}"
    digits = 2 if 0.005 <= value < 0.995 else 3
    text = f"{value:.{digits}f}"
    if float(text) in (0.0, 1.0):
        return "<.001" if value < 0.5 else ">.999"
    return text.lstrip("0")


def interval(low: float, high: float) -> str:
    """An interval of shares, as in `[.33, .61]`."""
    return f"[{share(low)}, {share(high)}]" if not math.isnan(low) else "[no interval]"


def percent(value: float) -> str:
    """A share in [0, 1] as a whole percentage, as in `47%`; `<1%` and `>99%` next to nothing and all."""
    if math.isnan(value):
        return NOTHING
    if 0 < value < 0.005 or 0.995 < value < 1:
        return "<1%" if value < 0.5 else ">99%"
    return f"{100 * value:.0f}%"


def percent_between(low: float, high: float) -> str:
    """An interval of shares, as in `(0 to 53%)`."""
    return (
        f"({percent(low).removesuffix('%')} to {percent(high)})" if not math.isnan(low) else "(no interval)"
    )


def number(value: Any) -> str:
    """A quantity with three significant digits, or the text of anything that is no number."""
    if isinstance(value, bool) or value is None or not isinstance(value, (int, float)):
        return level_text(value)
    if math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if float(value).is_integer() and abs(value) < 1e6:
        return f"{value:,.0f}".replace("-", "−")
    if 1e-2 <= abs(value) < 1e5:
        digits = max(0, 2 - math.floor(math.log10(abs(value))))
        text = f"{value:,.{digits}f}"
        return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")
    mantissa, exponent = f"{value:.2e}".split("e")
    sign = "−" if value < 0 else ""
    return f"{sign}{mantissa.lstrip('-').rstrip('0').rstrip('.')}e{int(exponent)}"


def listed(names: Sequence[str], last: str = "and") -> str:
    """Names as a sentence lists them: `a`, `a and b`, `a, b and c`."""
    head = ", ".join(names[:-1])
    return f"{head} {last} {names[-1]}" if head else "".join(names)


def plural(n: int, noun: str) -> str:
    """A count with its noun: `1 run`, `2 runs`."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def at_least(value: float) -> str:
    """A lower bound as a percentage, rounded down: it never promises more than was bounded."""
    scale = 100 if value >= 0.01 else 1000
    return f"{100 * (math.floor(scale * value) / scale):.3g}%"


def level_name(factor: str, level: str) -> str:
    """A level in a sentence: with its parameter where it alone would read as a number or a plain word."""
    return f"{factor} {level}" if level in PLAIN_WORDS or _is_number(level) else level


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def some_of(estimate: float, n_runs: int) -> str:
    """A share of runs in words: `all of 12 runs`, `none of 12 runs`, `25% of 12 runs`."""
    part = {0.0: "none", 1.0: "all"}.get(estimate, percent(estimate))
    return f"{part} of {plural(n_runs, 'run')}"


def is_thin(row: Any) -> bool:
    """Whether a rate (a row of `rate`'s columns) rests on too little to be told as a share."""
    width = float(row["ci_high"]) - float(row["ci_low"])
    return math.isnan(width) or width > WIDE or int(row["n_points"]) < 2


def headline(verdict: Verdict) -> list[str]:
    """The study in one to five sentences; the first is the one to remember."""
    if not verdict.estimable:
        return []
    sentences = _overall(verdict) if verdict.factor is None else _comparison(verdict)
    return [*sentences, *_failure(verdict), *_learning(verdict)]


def adaptive_headline(outcomes: pd.Series, sampler: str) -> list[str]:
    """What may be said of a search, or of runs that were chosen nobody knows how: what was found, no rate."""
    n_success = int(outcomes.isin(SUCCESSES).sum())
    if sampler == UNDECLARED:
        seen = f"Of {plural(len(outcomes), 'observed run')} {n_success:,} ended stable or nearly so."
        return [seen, "Rates are not estimable: nobody said how the settings were drawn."]
    found = f"The search found {plural(n_success, 'successful run')} among {len(outcomes):,}."
    why = f"Rates are not estimable: {sampler} chose its points in the light of earlier results."
    return [found, why]


def _overall(verdict: Verdict) -> list[str]:
    row = verdict.success.iloc[0]
    first = f"{_of_runs(row)} ended stable or nearly so, {_over(verdict, row.n_points)}."
    few = [f"{_too_few(verdict, row)} for a rate."] if is_thin(row) else []
    return [first[0].upper() + first[1:], *few]


def _comparison(verdict: Verdict) -> list[str]:
    if verdict.success["estimate"].iloc[0] == 0:
        return [_none_succeeded(verdict)]
    best = verdict.success.head(len(verdict.best)).to_dict("records")
    names = listed([_named(verdict, row[verdict.factor]) for row in best])
    how = "equally often" if 1 < len(best) == len(verdict.success) else "most often"
    shares = list(dict.fromkeys(_of_runs(row) for row in best))
    each = " each" if len(shares) < len(best) else ""
    points = _over(verdict, best[0]["n_points"])
    return [
        f"{names} succeeded {how}: {listed(shares)}{each} ended stable or nearly so, {points}.",
        *_rivals(verdict),
    ]


def _none_succeeded(verdict: Verdict) -> str:
    widest = verdict.success.sort_values("ci_high").iloc[-1]  # a missing interval comes last
    bound = f"shares up to {percent(widest['ci_high'])} remain possible"
    if is_thin(widest):
        few = _too_few(verdict, widest)
        bound = f"{few[0].lower()}{few[1:]} to tell whether others would"
    return f"No run ended stable or nearly so, under any {verdict.factor}; {bound}."


def _over(verdict: Verdict, n_points: int) -> str:
    """What a rate speaks of: points stand for the space, seeds for nothing but their setting."""
    counted = f"over {plural(int(n_points), verdict.unit)}"
    return counted if verdict.unit == "point" else f"{counted}, not settings"


def _too_few(verdict: Verdict, row: Any) -> str:
    n_points, unit = int(row["n_points"]), verdict.unit
    return f"A single {unit} is too few" if n_points == 1 else f"{n_points:,} {unit}s are too few"


def _rivals(verdict: Verdict) -> list[str]:
    if is_thin(verdict.success.iloc[0]):
        return [f"{_too_few(verdict, verdict.success.iloc[0])} for rates or a ranking."]
    return _paired_rivals(verdict) if verdict.paired else _unpaired_rivals(verdict)


def _paired_rivals(verdict: Verdict) -> list[str]:
    sentences = []
    if verdict.separated:
        names = _several(verdict, verdict.separated)
        sentences.append(f"Compared {verdict.unit} by {verdict.unit}, {names} succeeded less often.")
    if verdict.overlapping:
        verb = "differs" if len(verdict.overlapping) == 1 else "differ"
        names = _several(verdict, verdict.overlapping, "or")
        sentences.append(f"Whether {names} {verb} from {_best(verdict)}, these {verdict.unit}s cannot tell.")
    return sentences


def _unpaired_rivals(verdict: Verdict) -> list[str]:
    sentences = []
    if verdict.separated:
        verb = "lies" if len(verdict.separated) == 1 else "lie"
        sentences.append(f"{_several(verdict, verdict.separated)} {verb} clearly below, interval and all.")
    if verdict.overlapping:
        alone = len(verdict.best) == 1
        whose = f"The interval{'' if alone else 's'} of {_best(verdict)} overlap{'s' if alone else ''}"
        those = "that" if len(verdict.overlapping) == 1 else "those"
        names = _several(verdict, verdict.overlapping)
        sentences.append(f"{whose} with {those} of {names}: this comparison does not rank them.")
    return sentences


def _best(verdict: Verdict) -> str:
    return _several(verdict, verdict.best)


def _several(verdict: Verdict, levels: Sequence[str], last: str = "and") -> str:
    """Levels by name, or by their number where they are many."""
    if len(levels) > MOST_NAMED:
        return f"{len(levels)} of the levels"
    return listed([_named(verdict, level) for level in levels], last)


def _failure(verdict: Verdict) -> list[str]:
    if verdict.failures.empty:
        return ["No run failed."]
    most = verdict.failures[verdict.failures["estimate"] == verdict.failures["estimate"].iloc[0]]
    rows = most.to_dict("records")
    if len(rows) == 1:
        return [f"The most frequent failure: {rows[0]['event']}, {_of_runs(rows[0])}."]
    if any(is_thin(row) for row in rows):
        return [
            f"The most frequent failures: {listed([row['event'] for row in rows])}, {_counted(rows[0])} each."
        ]
    names = listed([f"{row['event']}, {_estimate(row)}" for row in rows])
    return [f"The most frequent failures: {names} of {plural(int(rows[0]['n_runs']), 'run')}."]


def _learning(verdict: Verdict) -> list[str]:
    row = verdict.learning.iloc[0]
    if not row.estimate > 0:
        return []
    return [f"Still learning at the horizon: {_of_runs(row)}; a longer one would move these shares."]


def _of_runs(row: Any) -> str:
    if is_thin(row):
        return _counted(row)
    runs = plural(int(row["n_runs"]), "run")
    if row["estimate"] in (0, 1):
        bounds = percent_between(float(row["ci_low"]), float(row["ci_high"]))
        return f"{'all' if row['estimate'] == 1 else 'none'} of {runs} {bounds}"
    return f"{_estimate(row)} of {runs}"


def _counted(row: Any) -> str:
    n_runs = int(row["n_runs"])
    count = round(float(row["estimate"]) * n_runs)
    if count == n_runs > 1:
        return f"all {plural(n_runs, 'run')}"
    return f"{count or 'none'} of {plural(n_runs, 'run')}"


def _estimate(row: Any) -> str:
    bounds = percent_between(float(row["ci_low"]), float(row["ci_high"]))
    return f"{percent(row['estimate'])} {bounds}"


def _named(verdict: Verdict, level: str) -> str:
    return f"“{level_name(str(verdict.factor), level)}”"

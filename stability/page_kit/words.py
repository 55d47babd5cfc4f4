"""Numbers and findings in words. Text in, text out: no frames are estimated here."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from stability.reading.factors import level_text
from stability.reading.study import ALL

NOTHING = "–"
"""Printed where there is no number."""

MOST_NAMED = 5
"""A sentence names no more levels than this."""

PLAIN_WORDS = frozenset({"none", "true", "false"})


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


def interval(low: float, high: float, form: Callable[[float], str] = share) -> str:
    """An interval, as in `[.33, .61]`."""
    return f"[{form(low)}, {form(high)}]" if not math.isnan(low) else "[no interval]"


def signed(difference: float) -> str:
    """A difference of shares with its sign, as in `+.21`, `−.05`, `0`."""
    text = share(abs(difference))
    if text == "0" or math.isnan(difference):
        return text
    return ("−" if difference < 0 else "+") + text


def p_text(p: float) -> str:
    """A p-value with three digits, as in `.032`."""
    if math.isnan(p):
        return NOTHING
    return "<.001" if p < 0.001 else "1" if p > 0.9995 else f"{p:.3f}".lstrip("0")


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


def steps(value: float) -> str:
    """A number of steps, whole."""
    return number(value if math.isnan(value) else round(value))


def listed(names: Sequence[str], last: str = "and") -> str:
    """Names as a sentence lists them: `a`, `a and b`, `a, b and c`."""
    head = ", ".join(names[:-1])
    return f"{head} {last} {names[-1]}" if head else "".join(names)


def plural(n: int, noun: str) -> str:
    """A count with its noun: `1 run`, `2 runs`."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def verb(n: int, one: str, several: str) -> str:
    """The verb that goes with a count: `verb(2, "is", "are")`."""
    return one if n == 1 else several


def capital(text: Any) -> str:
    """The text as the beginning of a sentence."""
    return f"{str(text)[0].upper()}{str(text)[1:]}"


def spaced(name: Any) -> str:
    """A name in a sentence, its underscores as spaces."""
    return str(name).replace("_", " ")


def slug(name: Any) -> str:
    """A name within an id: letters, digits and hyphens only."""
    return str(name).replace("_", "-")


def joined(*sentences: str) -> str:
    """Sentences as a paragraph, empty ones left out."""
    return " ".join(sentence for sentence in sentences if sentence)


def bare_reason(reason: Any) -> str:
    """Why something is not estimable, without these words."""
    return str(reason).removeprefix("not estimable: ")


def by_levels(factor: str) -> str:
    """`, by loss`, where something is told by a factor's levels."""
    return "" if factor == ALL else f", by {factor}"


def at_least(value: float) -> str:
    """A lower bound as a percentage, rounded down: it never promises more than was bounded."""
    return f"{100 * _rounded_down(value):.3g}%"


def lower_bound(value: float) -> str:
    """A lower bound as a share, rounded down as `at_least` rounds it: `.31`."""
    if math.isnan(value):
        return NOTHING
    down = _rounded_down(value)
    return f"{down:.{2 if down >= 0.01 else 3}f}".lstrip("0") if 0 < down < 1 else f"{down:.0f}"


def _rounded_down(value: float) -> float:
    scale = 100 if value >= 0.01 else 1000
    return math.floor(scale * value) / scale


def level_name(factor: str, level: str) -> str:
    """A level in a sentence: with its parameter where it alone would read as a number or a plain word."""
    return f"{factor} {level}" if level in PLAIN_WORDS or _is_number(level) else level


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

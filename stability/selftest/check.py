"""One question with a known answer, and the table of what came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stability.selftest.bench import Bench


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was expected, what came."""

    name: str
    expected: str
    found: str
    passed: bool

    def as_row(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was expected, what came, and whether they agree."""

    expected: str
    found: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Question:
    """A row of the table: its name, and how to find out."""

    name: str
    answer: Callable[[Bench], Finding]


def ask(question: Question, bench: Bench) -> Check:
    """Answer one question; one that cannot even be answered has failed."""
    try:
        finding = question.answer(bench)
    except Exception as error:
        words = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return Check(question.name, "an answer", words, passed=False)
    return Check(question.name, finding.expected, finding.found, finding.passed)


def as_text(checks: Sequence[Check]) -> str:
    """A table, and a closing line."""
    width = max(len(check.name) for check in checks)
    lines = [
        f"{'ok  ' if check.passed else 'FAIL'}  {check.name:<{width}}  {check.found} "
        f"(expected {check.expected})"
        for check in checks
    ]
    failed = sum(not check.passed for check in checks)
    return "\n".join([*lines, f"{len(checks)} checks, {failed} failed"])


def at_most(worst: float, bound: float) -> Finding:
    """A largest difference and what it may be; NaN is too much."""
    return Finding(f"<= {bound:g}", f"{worst:.1e}", worst <= bound)


def largest(differences: Sequence[float]) -> float:
    """The largest of some absolute differences, NaN if one is: `max` alone may step over it."""
    return max(differences, key=lambda value: float("inf") if value != value else value)  # noqa: PLR0124


def between(found: float, low: float, high: float, form: str = ".4g") -> Finding:
    """A number and the interval that it belongs to, ends included."""
    return Finding(f"{low:{form}} to {high:{form}}", f"{found:{form}}", low <= found <= high)


def same(found: object, expected: object) -> Finding:
    """Something that has to be equal."""
    return Finding(str(expected), str(found), found == expected)

from __future__ import annotations

from typing import Any

import pytest

from stability.page_kit.words import (
    at_least,
    interval,
    level_name,
    listed,
    lower_bound,
    number,
    percent,
    percent_between,
    plural,
    share,
)

NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.4712, ".47"),
        (0.0, "0"),
        (1.0, "1"),
        (0.004, ".004"),
        (0.996, ".996"),
        (1e-9, "<.001"),
        (1 - 1e-9, ">.999"),
        (NAN, "–"),
    ],
)
def test_shares(value: float, text: str) -> None:
    assert share(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.4712, "47%"), (0.0, "0%"), (1.0, "100%"), (0.004, "<1%"), (0.006, "1%"), (0.996, ">99%"), (NAN, "–")],
)
def test_percentages(value: float, text: str) -> None:
    assert percent(value) == text


def test_intervals_of_percentages() -> None:
    assert percent_between(0.0, 0.534) == "(0 to 53%)"
    assert percent_between(0.001, 1.0) == "(<1 to 100%)"
    assert percent_between(NAN, NAN) == "(no interval)"


def test_intervals() -> None:
    assert interval(0.12, 0.34) == "[.12, .34]"
    assert interval(NAN, NAN) == "[no interval]"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567.0, "1.23e6"),
        (12345, "12,345"),
        (0.5, "0.5"),
        (12.345, "12.3"),
        (100.4, "100"),
        (0.000234, "2.34e-4"),
        (-0.25, "−0.25"),
        (float("inf"), "∞"),
        (NAN, "–"),
        (True, "true"),
        (None, "none"),
        ("mlp", "mlp"),
    ],
)
def test_numbers_have_three_significant_digits(value: Any, text: str) -> None:
    assert number(value) == text


def test_lists_and_plurals() -> None:
    assert [listed(list(names)) for names in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]
    assert [plural(1, "run"), plural(2, "run")] == ["1 run", "2 runs"]


def test_a_lower_bound_is_never_rounded_up() -> None:
    assert at_least(0.3678) == "36%"
    assert at_least(1.0) == "100%"
    assert at_least(0.0046) == "0.4%"
    assert [lower_bound(value) for value in (0.3678, 1.0, 0.0046, 0.0001, 0.5, NAN)] == [
        ".36",
        "1",
        ".004",
        "0",
        ".50",
        "–",
    ]


@pytest.mark.parametrize(("level", "named"), [("none", "penalty none"), ("5", "penalty 5"), ("r1", "r1")])
def test_a_level_that_reads_as_a_number_or_a_word_is_named_with_its_parameter(level: str, named: str) -> None:
    assert level_name("penalty", level) == named

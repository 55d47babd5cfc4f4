from __future__ import annotations

import re

from stability.records import Outcome
from stability.report.palette import (
    DISCRIMINATOR,
    GENERATOR,
    GRID,
    INK,
    LEVEL_LOOKS,
    LOOKS,
    MUTED,
    level_looks,
    outline,
)

LIGHT_CARD, DARK_CARD = "#ffffff", "#1b1f24"


def test_every_outcome_has_a_colour_and_a_marker_of_its_own() -> None:
    assert set(LOOKS) == {str(outcome) for outcome in Outcome}
    assert len({look.colour for look in LOOKS.values()}) == len(LOOKS)
    assert len({look.marker for look in LOOKS.values()}) == len(LOOKS)


def test_no_outcome_s_colour_follows_the_theme() -> None:
    assert not {look.colour for look in LOOKS.values()} & {INK, MUTED, GRID, GENERATOR, DISCRIMINATOR}


def test_the_meanings_name_every_way_into_an_outcome() -> None:
    ways = {
        Outcome.DIVERGED: ["exploded", "no longer finite"],
        Outcome.SATURATED: ["stopped moving"],
        Outcome.OSCILLATING: ["take turns in winning"],
        Outcome.LEARNING: ["still getting better"],
        Outcome.COLLAPSED: ["same picture for every z"],
        Outcome.PARTIAL_COLLAPSE: ["of some kinds only", "lost or never came"],
        Outcome.DOMINATED: ["tells everything apart", "gets nowhere"],
        Outcome.NOISE: ["hardly anything is recognisable"],
    }
    missing = {
        str(way): words for way, words in ways.items() if not all(w in LOOKS[way].meaning for w in words)
    }
    assert missing == {}


def test_outlines_are_svg_paths_within_the_glyph_s_box() -> None:
    for look in LOOKS.values():
        path = outline(look.marker)
        assert re.fullmatch(r"M[-. \dMLQCZ]+", path), path
        assert max(abs(float(value)) for value in re.findall(r"-?\d+\.\d+", path)) <= 0.6


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_colours_of_levels_are_read_in_both_themes_and_told_apart_by_shape() -> None:
    for look in LEVEL_LOOKS:
        assert min(contrast(look.colour, card) for card in (LIGHT_CARD, DARK_CARD)) >= 3, look
    for attribute in ("colour", "marker", "dashes"):
        assert len({getattr(look, attribute) for look in LEVEL_LOOKS}) == len(LEVEL_LOOKS)


def test_levels_get_looks_in_their_order_and_never_run_out() -> None:
    many = [f"level {place}" for place in range(10)]
    looks = level_looks(many)
    assert list(looks) == many
    assert looks["level 8"] == looks["level 0"] != looks["level 1"]

from __future__ import annotations

import re

import pytest

from stability.page_kit.palette import (
    DISCRIMINATOR,
    GENERATOR,
    GRID,
    INK,
    LEVEL_LOOKS,
    LOOKS,
    LOSS_COLOURS,
    MUTED,
    contrast,
    level_looks,
    outline,
    text_on,
)
from stability.records import Outcome
from stability.spec import RECIPES
from stability.vocabulary.losses import LOSS_NAMES

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
        Outcome.COLLAPSED: ["same picture whatever noise"],
        Outcome.PARTIAL_COLLAPSE: ["of some kinds only", "lost or never came"],
        Outcome.DOMINATED: ["tells everything apart", "gets nowhere"],
        Outcome.NOISE: ["noise, scribbles or half-readable", "no longer better"],
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


def test_every_loss_and_recipe_has_one_colour_of_its_own_in_every_report() -> None:
    assert set(LOSS_COLOURS) == {*LOSS_NAMES, *RECIPES}
    assert len(set(LOSS_COLOURS.values())) == len(LOSS_COLOURS)
    for loss, colour in LOSS_COLOURS.items():
        assert min(contrast(colour, card) for card in (LIGHT_CARD, DARK_CARD)) >= 3, loss
    here, there = level_looks(["hinge", "minimax", "wgan-gp"]), level_looks(["wgan-gp", "hinge"])
    assert {here[loss].colour for loss in there} == {look.colour for look in there.values()}
    assert here["hinge"].colour == there["hinge"].colour == LOSS_COLOURS["hinge"]


def test_a_level_that_is_no_loss_takes_no_loss_s_colour() -> None:
    looks = level_looks(["mine", "non-saturating", "yours"])
    assert looks["non-saturating"].colour == LOSS_COLOURS["non-saturating"]
    assert len({look.colour for look in looks.values()}) == 3


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_text_on_any_outcome_is_read() -> None:
    assert all(contrast(text_on(look.colour), look.colour) >= 4.5 for look in LOOKS.values())
    assert (text_on("#ffffff"), text_on("#000000")) == ("#000000", "#ffffff")

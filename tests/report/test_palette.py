from __future__ import annotations

import re

from stability.records import Outcome
from stability.report.palette import DISCRIMINATOR, GENERATOR, GRID, INK, LOOKS, MUTED, outline


def test_every_outcome_has_a_colour_and_a_marker_of_its_own() -> None:
    assert set(LOOKS) == {str(outcome) for outcome in Outcome}
    assert len({look.colour for look in LOOKS.values()}) == len(LOOKS)
    assert len({look.marker for look in LOOKS.values()}) == len(LOOKS)


def test_no_outcome_s_colour_follows_the_theme() -> None:
    assert not {look.colour for look in LOOKS.values()} & {INK, MUTED, GRID, GENERATOR, DISCRIMINATOR}


def test_the_meanings_name_every_way_into_an_outcome() -> None:
    ways = {
        Outcome.STABLE: ["FID", "modes"],
        Outcome.COLLAPSED: ["was good, lost modes or diversity", "never good"],
        Outcome.DEGRADED: ["FID is well above its best", "precision is lost and FID no longer falls"],
        Outcome.UNFINISHED: ["none of these", "FID still falls"],
        Outcome.UNLEARNED: ["none of these"],
    }
    missing = {
        str(way): words for way, words in ways.items() if not all(w in LOOKS[way].meaning for w in words)
    }
    assert missing == {}
    assert (
        "good" not in LOOKS[Outcome.UNLEARNED].meaning
    )  # good with a mode short and a flat FID is unlearned


def test_outlines_are_svg_paths_within_the_glyph_s_box() -> None:
    for look in LOOKS.values():
        path = outline(look.marker)
        assert re.fullmatch(r"M[-. \dMLQCZ]+", path), path
        assert max(abs(float(value)) for value in re.findall(r"-?\d+\.\d+", path)) <= 0.6

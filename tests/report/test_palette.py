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


def test_outlines_are_svg_paths_within_the_glyph_s_box() -> None:
    for look in LOOKS.values():
        path = outline(look.marker)
        assert re.fullmatch(r"M[-. \dMLQCZ]+", path), path
        assert max(abs(float(value)) for value in re.findall(r"-?\d+\.\d+", path)) <= 0.6

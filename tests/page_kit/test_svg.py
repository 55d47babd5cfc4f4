from __future__ import annotations

import re

import matplotlib
import pandas as pd
from matplotlib import pyplot

from stability.page_kit.svg import inline_svg
from stability.questions.outcomes.figure import share_panels
from stability.statistics.rates import rates_by


def rates() -> pd.DataFrame:
    runs = pd.DataFrame(
        {
            "loss": ["hinge", "minimax"] * 4,
            "point": range(8),
            "outcome": ["stable", "diverged"] * 4,
            "adaptive": False,
        }
    )
    return rates_by(runs, "loss", ["stable", "diverged"])


def test_inline_svg_is_themed_escaped_and_refers_to_nothing_outside() -> None:
    figure = share_panels(rates().replace("hinge", "<b>$x$"), "loss", ["<b>$x$", "minimax"], ["stable"])
    drawn = inline_svg(figure, "shares", 'a "quoted" <alt>')
    assert "http" not in drawn
    assert "<style" not in drawn
    assert "var(--ink)" in drawn
    assert "&lt;b&gt;$x$" in drawn
    assert 'aria-label="a &quot;quoted&quot; &lt;alt&gt;"' in drawn


def test_ids_of_two_figures_do_not_meet_and_every_reference_is_met() -> None:
    figures = [share_panels(rates(), "loss", ["hinge"], ["stable"]) for _ in range(2)]
    first, second = (
        inline_svg(figure, name, "") for figure, name in zip(figures, ("one", "two"), strict=True)
    )
    ids = [set(re.findall(r'\bid="([^"]*)"', drawn)) for drawn in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]
    references = set(re.findall(r'(?:href="#|url\(#)([^")]*)', first))
    assert references
    assert references <= ids[0]


def test_drawing_leaves_no_global_state() -> None:
    before = matplotlib.rcParams.copy()
    inline_svg(share_panels(rates(), "loss", ["hinge"], ["stable"]), "shares", "shares")
    assert matplotlib.rcParams.copy() == before
    assert not pyplot.get_fignums()

"""A matplotlib figure as SVG to stand inline in the page: themed by CSS, without outside references."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib
import seaborn as sns
from markupsafe import Markup
from matplotlib.figure import Figure

from stability.page_kit.palette import DISCRIMINATOR, GENERATOR, GRID, INK, MUTED

COLOURS: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "grid.color": GRID,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.bottom": True,
    "ytick.left": True,
    "text.color": INK,
}
"""What seaborn's style `whitegrid` is changed in: the page's colours, which THEMED makes follow its theme."""

SIZES: dict[str, Any] = {
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 8,
    "axes.linewidth": 0.6,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.1,
    "lines.markersize": 6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3.5,
    "ytick.major.size": 3.5,
}
"""What seaborn's context `paper` is changed in: sizes in points."""

TEXT: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "axes.titlecolor": INK,
    "axes.formatter.useoffset": False,
    "axes.formatter.use_mathtext": False,
    "legend.frameon": False,
}
"""Text stays text, is never read as formulae, and takes the page's font."""

SMALLEST = 7.5
"""Points of the smallest text in figures."""
ENLARGED = 12 / (SMALLEST * 4 / 3)
"""By which the page enlarges figures, so that no text in them has less than 12 pixels."""

THEMED = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    GENERATOR: "var(--curve-g)",
    DISCRIMINATOR: "var(--curve-d)",
}


@contextmanager
def page_style() -> Iterator[None]:
    """The page's looks while figures are drawn and saved; matplotlib's settings are as before afterwards."""
    with (
        sns.axes_style("whitegrid", rc=COLOURS),
        sns.plotting_context("paper", rc=SIZES),
        matplotlib.rc_context(TEXT),
    ):
        yield


class Drawing(Markup):
    """SVG for the page, with the figure that it was drawn from."""

    figure: Figure


def inline_svg(figure: Figure, name: str, alt: str) -> Drawing:
    """The figure as one `<svg role="img">`: `alt` is read aloud, `name` keeps its ids apart."""
    buffer = io.StringIO()
    with page_style(), matplotlib.rc_context({"svg.hashsalt": f"figure {name}"}):
        figure.savefig(
            buffer,
            format="svg",
            transparent=True,
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    body = buffer.getvalue()
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    view, inside = re.findall(r'<svg[^>]*? viewBox="([^"]*)"[^>]*>(.*)</svg>', body, flags=re.DOTALL)[0]
    inside = _own_ids(inside, name)
    inside = re.sub(r" font-family: [^;\"]*;?", "", inside)
    for colour, variable in THEMED.items():
        inside = inside.replace(f": {colour}", f": {variable}")
    width = float(view.split()[2]) * 4 / 3 * ENLARGED
    head = f'<svg class="figure" role="img" aria-label="{escape(alt)}" viewBox="{view}"'
    drawing = Drawing(f'{head} style="width:{width:.0f}px">{_shortened(inside)}</svg>')
    drawing.figure = figure
    return drawing


def _shortened(inside: str) -> str:
    """Places to a hundredth of a point: nobody sees more, and they are most of the bytes."""
    return re.sub(r'\b(d|x|y)="[^"]*"', lambda found: re.sub(r"(\.\d\d)\d+", r"\1", found[0]), inside)


def _own_ids(inside: str, name: str) -> str:
    inside = inside.replace("xlink:href", "href")
    inside = re.sub(r'\bid="', f'id="{name}-', inside)
    inside = re.sub(r"url\(#", f"url(#{name}-", inside)
    return re.sub(r'\bhref="#', f'href="#{name}-', inside)

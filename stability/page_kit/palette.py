"""How every outcome looks and reads: one colour (Okabe and Ito's, for colour-blind eyes), one marker.

The only place that maps outcomes to looks: figures, badges and legends read it. Imports records and
matplotlib.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle

import numpy as np
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path as Outline

from stability.records import Outcome
from stability.vocabulary.losses import LOSSES

INK, MUTED, GRID = "#16202b", "#5c6773", "#d3d8de"
"""Colours of text, secondary text and grid lines; inline figures follow the page's theme instead."""

GENERATOR, DISCRIMINATOR = "#bb4f00", "#0069a5"
"""Colours of the two networks' curves; in the page they follow its theme too, unlike the outcomes'."""


@dataclass(frozen=True, slots=True)
class Look:
    """How one outcome is drawn and explained."""

    colour: str
    marker: str
    meaning: str
    """The outcome's rule in a few words, where none above it in the order of the outcomes holds."""


LOOKS: dict[str, Look] = {
    Outcome.STABLE: Look("#009e73", "o", "the pictures look like the data, and every kind is drawn"),
    Outcome.NEARLY_STABLE: Look(
        "#8fd3b6", "h", "close to the data, but a kind is missing or many pictures are still off"
    ),
    Outcome.LEARNING: Look("#56b4e9", ">", "still getting better at the last step: too short to tell"),
    Outcome.OSCILLATING: Look(
        "#cc79a7", "D", "the two networks take turns in winning, the pictures change with them"
    ),
    Outcome.PARTIAL_COLLAPSE: Look(
        "#f0b840", "^", "recognisable pictures, but of some kinds only: the others were lost or never came"
    ),
    Outcome.COLLAPSED: Look("#e69f00", "v", "nearly the same picture whatever noise goes in"),
    Outcome.SATURATED: Look(
        "#0072b2",
        "s",
        "a network has stopped moving: the discriminator is all but perfect, no signal is left",
    ),
    Outcome.DOMINATED: Look(
        "#5b4fa8", "p", "the discriminator tells everything apart, the generator moves but gets nowhere"
    ),
    Outcome.DIVERGED: Look("#d55e00", "X", "numbers exploded or were no longer finite"),
    Outcome.NOISE: Look("#8a8f98", "P", "noise, scribbles or half-readable, and no longer better"),
}
"""In the order in which legends list them."""


@dataclass(frozen=True, slots=True)
class LevelLook:
    """How one level of a factor is drawn where curves of several levels meet."""

    colour: str
    marker: str
    dashes: str | tuple[int, tuple[int, ...]]
    """A matplotlib line style."""


LEVEL_LOOKS = (
    LevelLook("#0079b8", "o", "-"),
    LevelLook("#d55e00", "s", (0, (5, 2))),
    LevelLook("#009e73", "^", (0, (2, 1))),
    LevelLook("#c25f9c", "D", (0, (6, 2, 1, 2))),
    LevelLook("#b07d00", "v", (0, (1, 1))),
    LevelLook("#7b79c9", "P", (0, (3, 1, 1, 1, 1, 1))),
    LevelLook("#808890", "X", (0, (8, 2))),
    LevelLook("#3f97a8", ">", (0, (4, 1, 1, 1))),
)
"""Colours that are read on white and on near-black; shapes and dashes for eyes that tell fewer apart."""

LOSS_COLOURS: dict[str, str] = {
    **{name: loss.colour for name, loss in LOSSES.items()},
    "wgan-clip": "#8d7a2f",
    "wgan-gp": "#d0691f",
    "dragan": "#2e8f8a",
    "non-saturating-r1": "#5a7fd8",
    "sngan": "#d1569b",
    "r3gan": "#5f9443",
}
"""One colour for each loss and recipe, in every report."""


def level_looks(levels: Sequence[str]) -> dict[str, LevelLook]:
    """A look for every level, in their order.

    Shapes and dashes follow the order and repeat from the ninth level on. A loss keeps its own colour; the
    others take turns with those that no loss among them has.
    """
    taken = {LOSS_COLOURS[level] for level in levels if level in LOSS_COLOURS}
    free = cycle([look.colour for look in LEVEL_LOOKS if look.colour not in taken] or [INK])
    return {
        level: replace(LEVEL_LOOKS[place % len(LEVEL_LOOKS)], colour=LOSS_COLOURS.get(level) or next(free))
        for place, level in enumerate(levels)
    }


def text_on(colour: str) -> str:
    """Black or white, whichever is read better on a colour: at least 4.5 to 1 on any."""
    return max(("#000000", "#ffffff"), key=lambda ink: contrast(ink, colour))


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, 1 to 21. Source: WCAG 2.2, "contrast ratio"."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def outline(marker: str) -> str:
    """A marker's shape as the data of an SVG path, within -0.6 to 0.6."""
    style = MarkerStyle(marker)
    shape = style.get_path().transformed(style.get_transform())
    scale = 0.55 / float(np.abs(shape.vertices).max())
    parts = []
    for vertices, code in shape.iter_segments(simplify=False):
        numbers = [
            f"{value * scale * sign:.3f}" for value, sign in zip(vertices, _signs(len(vertices)), strict=True)
        ]
        parts.append(_LETTERS[int(code)] + (" ".join(numbers) if code != Outline.CLOSEPOLY else ""))
    return "".join(parts)


_LETTERS = {
    int(Outline.MOVETO): "M",
    int(Outline.LINETO): "L",
    int(Outline.CURVE3): "Q",
    int(Outline.CURVE4): "C",
    int(Outline.CLOSEPOLY): "Z",
}


def _signs(n: int) -> list[int]:
    """SVG's y axis points down."""
    return [1, -1] * (n // 2)

"""Pictures as files: films of filmstrips, and latent views with their coordinates. Arrays in, bytes out.

Drawn pixel by pixel with Pillow and enlarged by whole numbers, so that what a generator drew stays exact.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from functools import cache
from typing import Literal

import numpy as np
from matplotlib.font_manager import findfont
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from stability.store import FilmStrip, LatentView
from stability.store.sheets import as_sheet

FilmFormat = Literal["GIF", "PNG"]

BAND, BRIGHT = 24, 235
"""Shades of the band under a film and of the step in it; dark, to suit a light and a dark page."""
PAPER, INK = 255, 32
FILM_MS, LONGEST_MS, SHORTEST_MS, HOLD_MS = 8000, 600, 80, 1800
"""A film's length, the bounds of a frame's, and how long the last one is held."""
EDGE, GAP = 14, 18
SHOWN = 52
"""CSS pixels that an image in the page should be high."""

Picture = Image.Image


def shown_size(images: NDArray[np.uint8]) -> tuple[int, int]:
    """CSS pixels of pictures [rows, columns, h, w, channels], wide and high, each by a whole number."""
    rows, columns, height, width = images.shape[:4]
    scale = max(1, round(SHOWN / height))
    return columns * width * scale, rows * height * scale


def enlarged(sheet: NDArray[np.uint8], scale: int) -> Picture:
    """Every pixel as a square of scale x scale."""
    return Image.fromarray(sheet.repeat(scale, 0).repeat(scale, 1))


def film_frames(film: FilmStrip, places: Sequence[int], *, wide: int, scale: int) -> list[Picture]:
    """A frame for each of these visits: the images, `wide` in a row, and the step in a band below.

    Images that would not fill a row are left out, unless there is just one row.
    """
    return [_frame(film.images[place], f"step {film.steps[place]:,}", wide, scale) for place in places]


def _frame(images: NDArray[np.uint8], text: str, wide: int, scale: int) -> Picture:
    rows = max(1, len(images) // wide)
    grid = images[: rows * wide]
    sheet = enlarged(as_sheet(grid.reshape(rows, -1, *grid.shape[1:])), scale)
    label = font(13)
    frame = Image.new(sheet.mode, (max(sheet.width, 90), sheet.height + 20), _shade(sheet, BAND))
    frame.paste(sheet)
    ImageDraw.Draw(frame).text((6, sheet.height + 2), text, fill=_shade(sheet, BRIGHT), font=label)
    return frame


def encode_film(frames: Sequence[Picture], kind: FilmFormat) -> bytes:
    """The frames as a film that loops: GIF plays everywhere, PNG is exact in colour, too."""
    each = min(LONGEST_MS, max(SHORTEST_MS, FILM_MS // len(frames)))
    durations = [each] * (len(frames) - 1) + [HOLD_MS]
    buffer = io.BytesIO()
    first, *others = frames
    first.save(buffer, kind, save_all=True, append_images=others, duration=durations, loop=0)
    return buffer.getvalue()


def encode_picture(picture: Picture) -> bytes:
    """A picture as PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=9)
    return buffer.getvalue()


def encode_coarse(sheet: NDArray[np.uint8], shades: int) -> bytes:
    """A sheet as PNG with so few levels, at most 16, of grey or of each part of a colour: far fewer bytes.

    More compression takes four times as long, for less than a hundredth of the bytes.
    """
    step = 255 / (shades - 1)
    levels = (sheet / step).round().astype(np.uint8)
    if levels.ndim == 3:
        return encode_picture(Image.fromarray((levels * step).round().astype(np.uint8)))
    picture = Image.fromarray(levels)
    picture.putpalette([round(level * step) for level in range(shades) for _ in "RGB"])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=6, bits=4)
    return buffer.getvalue()


def as_picture(view: LatentView) -> Picture:
    """A view without names and edges, a pixel a pixel."""
    return Image.fromarray(as_sheet(view.images))


def coordinates(view: LatentView) -> str:
    """Where the pictures of a view lie in latent space, in words."""
    rows, columns = view.images.shape[:2]
    if view.kind == "manifold":
        low, high = extent(view)
        return (
            f"The two latent coordinates go from {low} to {high}: the first to the right, the second upwards."
        )
    is_round = view.latent == "normal" and view.latent_dim > 1
    path = "the great circle" if is_round else "the straight line"
    return (
        f"{rows} walks through latent space: each row goes from one fixed point to another along {path} "
        f"between them, in {columns} steps."
    )


def extent(view: LatentView) -> tuple[int, int]:
    """The lowest and the highest coordinate of a manifold."""
    return (-2, 2) if view.latent == "normal" else (-1, 1)


def latent_picture(rows: Sequence[Sequence[tuple[str, LatentView]]], *, title: str, scale: int) -> bytes:
    """Latent views with the names of their runs as one PNG.

    Each row holds views of one kind side by side; what the coordinates are stands below it.
    """
    parts = []
    for row in rows:
        panels = [_panel(name, view, scale) for name, view in row]
        width = sum(panel.width for panel in panels) + GAP * (len(panels) - 1)
        parts += [_beside(panels), _paragraph(coordinates(row[0][1]), width, panels[0].mode)]
    mode = parts[0].mode
    parts.insert(0, _paragraph(title, max(part.width for part in parts), mode, size=17))
    width, height = max(part.width for part in parts), sum(part.height + GAP for part in parts) - GAP
    canvas = _blank(mode, width + 2 * EDGE, height + 2 * EDGE)
    top = EDGE
    for part in parts:
        canvas.paste(part, (EDGE, top))
        top += part.height + GAP
    return encode_picture(canvas)


def _beside(panels: Sequence[Picture]) -> Picture:
    width = sum(panel.width for panel in panels) + GAP * (len(panels) - 1)
    row = _blank(panels[0].mode, width, max(panel.height for panel in panels))
    left = 0
    for panel in panels:
        row.paste(panel, (left, 0))
        left += panel.width + GAP
    return row


def _panel(name: str, view: LatentView, scale: int) -> Picture:
    """A view under its run's name, with the coordinates at its edges."""
    sheet = enlarged(as_sheet(view.images), scale)
    left, top, bottom = 34, 26, 22
    width = max(left + sheet.width, left + _width(name, 14))
    panel = _blank(sheet.mode, width, top + sheet.height + bottom)
    panel.paste(sheet, (left, top))
    draw = ImageDraw.Draw(panel)
    ink = _shade(panel, INK)
    draw.text((left, 2), name, fill=ink, font=font(14))
    across, down = _edge_labels(view)
    for place, text in enumerate(across):
        x = left + place * sheet.width / (len(across) - 1)
        anchor = "l" if place == 0 else "r" if place == len(across) - 1 else "m"
        draw.text((x, top + sheet.height + 4), text, fill=ink, font=font(12), anchor=f"{anchor}a")
    for place, text in enumerate(down):
        y = top + (place + 0.5) * sheet.height / len(down)
        draw.text((left - 6, y), text, fill=ink, font=font(12), anchor="rm")
    return panel


def _edge_labels(view: LatentView) -> tuple[list[str], list[str]]:
    """What stands below a view, from its left to its right edge, and beside its rows, top down."""
    rows = view.images.shape[0]
    if view.kind == "interpolation":
        return ["start", "end"], [str(row + 1) for row in range(rows)]
    low, high = extent(view)
    down = [""] * rows
    down[0], down[rows // 2], down[-1] = str(high), "z2", str(low)
    return [str(low), "z1", str(high)], down


def _paragraph(text: str, width: int, mode: str, size: int = 13) -> Picture:
    lines = textwrap.wrap(text, max(20, int(width / _width("n", size))))
    wide = max(width, *(_width(line, size) for line in lines))
    picture = _blank(mode, wide, round(1.35 * size) * len(lines))
    draw = ImageDraw.Draw(picture)
    for place, line in enumerate(lines):
        draw.text((0, round(1.35 * size) * place), line, fill=_shade(picture, INK), font=font(size))
    return picture


def _blank(mode: str, width: int, height: int) -> Picture:
    return Image.new(mode, (width, height), PAPER if mode == "L" else (PAPER,) * 3)


def _shade(picture: Picture, value: int) -> int | tuple[int, int, int]:
    return value if picture.mode == "L" else (value, value, value)


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """The pages' font for pictures, `size` pixels high."""
    return ImageFont.truetype(findfont("DejaVu Sans"), size)


def _width(text: str, size: int) -> int:
    return round(font(size).getlength(text)) + 1

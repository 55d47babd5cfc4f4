"""One run as one picture for a judge: curves, real examples, and what it drew of the same noise.

Nothing in it says what the run is called, how it was configured, or what the rules made of it.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from stability.page_kit.pictures import INK, PAPER, Picture, font
from stability.reading.frames import StudyFrames
from stability.report.sheet.curves import bare_curves
from stability.report.sheet.items import Item
from stability.store import FilmStrip, Store, read_filmstrip
from stability.store.sheets import as_sheet

COLUMNS = ("separation", "loss_d", "loss_g", "generator_update", "discriminator_update")
MEDIAN_OF = 5
"""Records of which the drawn separation is the running median."""
FRAMES = 6
BOX, GAP, EDGE = 168, 8, 12
"""Pixels of a frame's side (a 28-pixel image is drawn 42 wide), between frames, and around the item."""
TITLE, CAPTION = 34, 18
SCALE = 1.5
"""By which images are enlarged, about: a frame holds as many as fill its box then."""
DPI = 100
PAGE_HEIGHT = 1600
"""Pixels; a page that would be higher is scaled down."""

WIDTH = 2 * EDGE + FRAMES * BOX + (FRAMES - 1) * GAP


def item_picture(item: Item, real: NDArray[np.uint8] | None) -> Picture:
    """The item as RGB; `real` are examples of its data set, [n, h, w, channels], None if not at hand."""
    drawn = _pixels(_curves(item.study, item.run))
    top = TITLE + max(drawn.height, BOX + CAPTION) + GAP
    picture = Image.new("RGB", (WIDTH, top + CAPTION + BOX + EDGE), (PAPER,) * 3)
    draw = ImageDraw.Draw(picture)
    draw.text((EDGE, 3), item.code, fill=(0, 0, 0), font=font(26))
    draw.text((EDGE + 100, 12), _length(item.study, item.run), fill=(INK,) * 3, font=font(14))
    picture.paste(drawn, (EDGE, TITLE))
    corner = WIDTH - EDGE - BOX
    _frame(picture, (corner, TITLE), "real examples" + ("" if real is not None else ": not at hand"), real)
    film = _film(item)
    if film is None:
        draw.text((EDGE, top), "no pictures: it ended before its first visit", fill=(INK,) * 3, font=font(14))
        return picture
    for place, visit in enumerate(_shown(len(film.steps))):
        corner = EDGE + place * (BOX + GAP)
        _frame(picture, (corner, top), f"step {film.steps[visit]:,}", film.images[visit])
    return picture


def stacked(pictures: Sequence[Picture]) -> Picture:
    """Items one below the other, a line between them, scaled down where they are higher than a page."""
    height = sum(picture.height for picture in pictures)
    page = Image.new("RGB", (pictures[0].width, height), (PAPER,) * 3)
    top = 0
    for picture in pictures:
        page.paste(picture, (0, top))
        ImageDraw.Draw(page).line((0, top, page.width, top), fill=(INK,) * 3, width=2)
        top += picture.height
    if height <= PAGE_HEIGHT:
        return page
    return page.resize((round(page.width * PAGE_HEIGHT / height), PAGE_HEIGHT), Image.Resampling.LANCZOS)


def _curves(study: StudyFrames, run: str) -> Figure:
    records = study.records_of([run], COLUMNS).sort_values("step")
    records = records.assign(
        separation=records["separation"].rolling(MEDIAN_OF, center=True, min_periods=1).median()
    )
    visits = study.evaluations[study.evaluations["run"] == run].sort_values("step")
    return bare_curves(records, visits.assign(fid=_fid(visits)), horizon=study.spec.training.steps)


def _fid(visits: pd.DataFrame) -> list[float]:
    """FID at the number of samples that every visit has, the last one, too."""
    rows = visits.to_dict("records")
    return [float(row[f"fid_{row['features']}_{row['n_samples']}"]) for row in rows]


def _length(study: StudyFrames, run: str) -> str:
    """How far it came: a fact that curves which break off leave open."""
    last = int(study.runs.loc[study.runs["run"] == run, "step"].iloc[0])
    return f"{last:,} of {study.spec.training.steps:,} steps"


def _shown(visits: int) -> list[int]:
    """Which visits have a frame: evenly spread ones up to the last but one, and the last."""
    if visits <= FRAMES:
        return list(range(visits))
    return [*np.linspace(0, visits - 2, FRAMES - 1).round().astype(int).tolist(), visits - 1]


def _film(item: Item) -> FilmStrip | None:
    path = Store(item.study.folder, item.study.plan).picture(item.run)
    return read_filmstrip(path) if path.is_file() else None


def _pixels(figure: Figure) -> Picture:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    with Image.open(buffer) as picture:
        return picture.convert("RGB")


def _frame(picture: Picture, corner: tuple[int, int], caption: str, images: NDArray[np.uint8] | None) -> None:
    """Paste a caption and, below it, as many of the images as fill a square."""
    left, top = corner
    ImageDraw.Draw(picture).text((left, top), caption, fill=(INK,) * 3, font=font(13))
    if images is not None:
        picture.paste(_grid(images), (left, top + CAPTION))


def _grid(images: NDArray[np.uint8]) -> Picture:
    """Images in a square of BOX pixels: as many a row as suits their size, whole rows alone."""
    side = images.shape[2]
    fitting = max(1, round(BOX / (SCALE * side)))
    wide = min(fitting, math.isqrt(len(images)))
    grid = images[: wide * wide].reshape(wide, wide, *images.shape[1:])
    sheet = Image.fromarray(as_sheet(grid)).convert("RGB")
    return sheet.resize((BOX, BOX), Image.Resampling.BICUBIC)

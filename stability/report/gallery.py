"""The page's first pictures: one tile of real examples, and one for every outcome that happened."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stability.analysis.exemplars import filmstrip_rows, typical_runs
from stability.analysis.study import Study
from stability.report.embed import data_uri
from stability.report.palette import LOOKS
from stability.report.pictures import Picture, encode_film, encode_picture, enlarged, with_progress
from stability.report.words import percent
from stability.spec.study import DATASETS
from stability.store import FilmStrip, Store, read_filmstrip
from stability.store.sheets import as_sheet, read_sheet

SIDE, MOST_FRAMES = 4, 16
"""Images a row and rows of a tile, and frames of a film, where images are small."""
FILM_NUMBERS = 500_000
"""More bytes of a film than this, before compression, are left out of the page."""
WIDTH = 120
"""Pixels that a tile's picture should be wide, at a whole multiple of its own."""
EXAMPLES = Path(__file__).parents[1] / "data"


@dataclass(frozen=True, slots=True)
class Film:
    """A last frame, and what led to it."""

    still: str
    moving: str
    """Empty where there was one visit only: it does not move."""
    alt: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture of the gallery with its words."""

    outcome: str
    """Empty: real examples."""
    run: str
    share: str
    why: str
    film: Film | None
    """None where no pictures were kept."""


def gallery(study: Study) -> list[Tile]:
    """What it should look like, where that is at hand, then the typical run of every outcome."""
    store, n_runs = Store(study.frames.folder, study.frames.plan), len(study.runs)
    real = real_examples(study.frames.spec.dataset)
    tiles = [] if real is None else [_real_tile(real, study.frames.spec.dataset)]
    return tiles + [_tile(store, row, n_runs) for row in typical_runs(study.runs).to_dict("records")]


def real_examples(dataset: str) -> NDArray[np.uint8] | None:
    """Held-out examples [n, h, w, channels] of a data set that comes with the package; None of another."""
    path = EXAMPLES / f"examples-{dataset}.png"
    if dataset not in DATASETS or not path.is_file():
        return None
    rows, _ = read_sheet(path, "examples")
    images: NDArray[np.uint8] = rows[0]
    return images


def _real_tile(images: NDArray[np.uint8], dataset: str) -> Tile:
    picture = _frame(images, min(SIDE, isqrt(len(images))))
    alt = f"Real examples of {dataset}"
    film = Film(data_uri("image/png", encode_picture(picture)), "", alt, *picture.size)
    return Tile("", "", f"from {dataset}", "what the runs should learn to draw", film)


def _tile(store: Store, row: dict[Any, Any], n_runs: int) -> Tile:
    path, outcome, n_alike = store.picture(str(row["run"])), str(row["outcome"]), int(row["n_alike"])
    return Tile(
        outcome=outcome,
        run=str(row["run"]),
        share=f"{percent(n_alike / n_runs)}, {n_alike:,} of {n_runs:,}",
        why=LOOKS[outcome].meaning,
        film=_film(read_filmstrip(path), outcome) if path.is_file() else None,
    )


def _film(film: FilmStrip, outcome: str) -> Film:
    places = filmstrip_rows(film.steps, (), most=MOST_FRAMES)
    images, height, width, channels = film.images.shape[1:]
    room = FILM_NUMBERS // (len(places) * height * width * channels)
    side = max(1, min(SIDE, isqrt(images), isqrt(room)))
    last = film.steps[-1]
    frames = [with_progress(_frame(film.images[place], side), film.steps[place] / last) for place in places]
    first = f" from step {film.steps[places[0]]:,}" if len(places) > 1 else ""
    return Film(
        still=data_uri("image/png", encode_picture(frames[-1])),
        moving=data_uri("image/png", encode_film(frames, "PNG")) if len(frames) > 1 else "",
        alt=f"{side * side} images of a typical run that ended {outcome}{first} to step {last:,}",
        width=frames[-1].width,
        height=frames[-1].height,
    )


def _frame(images: NDArray[np.uint8], side: int) -> Picture:
    """A square of images, enlarged by a whole number."""
    sheet = as_sheet(images[: side * side].reshape(side, side, *images.shape[1:]))
    return enlarged(sheet, max(1, round(WIDTH / sheet.shape[1])))

"""The page's first pictures: one tile of real examples, and one for every outcome that happened."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt, prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stability.page_kit.embed import data_uri
from stability.page_kit.palette import LOOKS
from stability.page_kit.pictures import Picture, encode_picture, enlarged
from stability.page_kit.words import percent
from stability.reading.study import Study
from stability.reading.typical_runs import typical_runs
from stability.records import Outcome
from stability.spec.study import DATASETS
from stability.store import FilmStrip, Store, read_filmstrip
from stability.store.sheets import as_sheet, read_sheet

SIDE = 4
"""Images a row and rows of a tile, where images are small."""
STILL_NUMBERS = 50_000
"""Bytes of a tile's images, before compression, where images are large."""
WIDTH = 120
"""Pixels that a tile's picture should be wide, at a whole multiple of its own."""
LAST_BEFORE = "; this is the last picture before that, of step {:,}"
EXAMPLES = Path(__file__).parents[1] / "data"


@dataclass(frozen=True, slots=True)
class Still:
    """What was drawn in the end."""

    source: str
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
    still: Still | None
    """None where no pictures were kept."""


def gallery(study: Study) -> list[Tile]:
    """What it should look like, where that is at hand, then the typical run of every outcome."""
    store, n_runs = Store(study.frames.folder, study.frames.plan), len(study.runs)
    real = real_examples(study.frames.spec.dataset)
    tiles = [] if real is None else [_real_tile(real, study.frames.spec.dataset)]
    return tiles + [_tile(store, row, n_runs) for row in typical_runs(study.runs).to_dict("records")]


def real_examples(dataset: str) -> NDArray[np.uint8] | None:
    """Held-out examples [n, h, w, channels] of a data set that the package has some of; None of another."""
    path = EXAMPLES / f"examples-{dataset}.png"
    if dataset not in DATASETS or not path.is_file():
        return None
    rows, _ = read_sheet(path, "examples")
    images: NDArray[np.uint8] = rows[0]
    return images


def _real_tile(images: NDArray[np.uint8], dataset: str) -> Tile:
    picture = _frame(images, min(SIDE, isqrt(len(images))))
    alt = f"Real examples of {dataset}"
    still = Still(data_uri("image/png", encode_picture(picture)), alt, *picture.size)
    return Tile("", "", f"from {dataset}", "what the runs should learn to draw", still)


def _tile(store: Store, row: dict[Any, Any], n_runs: int) -> Tile:
    path, outcome, n_alike = store.picture(str(row["run"])), str(row["outcome"]), int(row["n_alike"])
    film = read_filmstrip(path) if path.is_file() else None
    return Tile(
        outcome=outcome,
        run=str(row["run"]),
        share=f"{percent(n_alike / n_runs)}, {n_alike:,} of {n_runs:,}",
        why=LOOKS[outcome].meaning
        + (LAST_BEFORE.format(film.steps[-1]) if film and outcome == Outcome.DIVERGED else ""),
        still=_still(film, outcome) if film is not None else None,
    )


def _still(film: FilmStrip, outcome: str) -> Still:
    images, *sizes = film.images.shape[1:]
    side = max(1, min(SIDE, isqrt(images), isqrt(STILL_NUMBERS // prod(sizes))))
    picture = _frame(film.images[-1], side)
    alt = f"{side * side} images of a typical run that ended {outcome}, at step {film.steps[-1]:,}"
    return Still(data_uri("image/png", encode_picture(picture)), alt, *picture.size)


def _frame(images: NDArray[np.uint8], side: int) -> Picture:
    """A square of images, enlarged by a whole number."""
    sheet = as_sheet(images[: side * side].reshape(side, side, *images.shape[1:]))
    return enlarged(sheet, max(1, round(WIDTH / sheet.shape[1])))

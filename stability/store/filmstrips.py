"""A run's pictures of the same fixed noise, as one PNG: a row per visit. Imports numpy and the sheets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stability.errors import StabilityError
from stability.spec.problems import one_line
from stability.store.sheets import DAMAGE, check_pictures, encode_sheet, read_sheet

WHAT = "filmstrip"


@dataclass(frozen=True, slots=True, eq=False)
class FilmStrip:
    """What the generator drew at each visit.

    Raises `ValueError`: images are no uint8 [visits, images, h, w, channels] with 1 or 3 channels, one
    row a step.
    """

    steps: tuple[int, ...]
    images: NDArray[np.uint8]
    """[visits, images, h, w, channels]"""

    def __post_init__(self) -> None:
        check_pictures(self.images, WHAT)
        if len(self.steps) != len(self.images):
            raise ValueError(f"{len(self.steps)} steps for {len(self.images)} visits")


def encode_filmstrip(strip: FilmStrip) -> bytes:
    """The strip as PNG without gaps, steps and shape in a text chunk. Equal strips give equal bytes."""
    return encode_sheet(strip.images, WHAT, {"steps": strip.steps})


def read_filmstrip(path: Path) -> FilmStrip:
    """Read a filmstrip back, exactly.

    Raises `StabilityError`: the file is missing, damaged or no filmstrip.
    """
    try:
        images, note = read_sheet(path, WHAT)
        return FilmStrip(tuple(int(step) for step in note["steps"]), images)
    except DAMAGE as error:
        raise StabilityError(f"{path}: damaged, this is not a {WHAT} ({one_line(str(error), 200)})") from None

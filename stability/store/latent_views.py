"""A run's picture of its latent space at the end, as one PNG. Imports numpy, spec and the sheets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from stability.errors import StabilityError
from stability.spec.config import Latent
from stability.spec.problems import one_line
from stability.store.sheets import DAMAGE, check_pictures, encode_sheet, read_sheet

WHAT = "latent view"

ViewKind = Literal["interpolation", "manifold"]
"""Rows that go from one fixed point to another, or a square of two coordinates."""


@dataclass(frozen=True, slots=True, eq=False)
class LatentView:
    """What the generator draws at fixed places of its latent space.

    Raises `ValueError`: images are no uint8 [rows, columns, h, w, channels] with 1 or 3 channels, or
    the kind or the latent is not known.
    """

    kind: ViewKind
    latent: Latent
    latent_dim: int
    images: NDArray[np.uint8]
    """[rows, columns, h, w, channels]"""

    def __post_init__(self) -> None:
        check_pictures(self.images, WHAT)
        if self.kind not in get_args(ViewKind) or self.latent not in get_args(Latent):
            raise ValueError(f"a {WHAT} of kind {self.kind!r}, latent {self.latent!r}")


def encode_latent_view(view: LatentView) -> bytes:
    """The view as PNG without gaps, kind and shape in a text chunk. Equal views give equal bytes."""
    return encode_sheet(
        view.images, WHAT, {"kind": view.kind, "latent": view.latent, "latent_dim": view.latent_dim}
    )


def read_latent_view(path: Path) -> LatentView:
    """Read a view back, exactly.

    Raises `StabilityError`: the file is missing, damaged or no latent view.
    """
    try:
        images, note = read_sheet(path, WHAT)
        return LatentView(note["kind"], note["latent"], int(note["latent_dim"]), images)
    except DAMAGE as error:
        raise StabilityError(f"{path}: damaged, this is no {WHAT} ({one_line(str(error), 200)})") from None

"""A run's pictures of the same fixed noise, as one PNG: a row per visit. Imports numpy and PIL."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from stability.errors import StabilityError

MAX_PIXELS = 512 * 1024 * 1024
"""More than any study draws; a damaged header must not ask for all memory."""


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
        if self.images.dtype != np.uint8 or self.images.ndim != 5 or self.images.shape[-1] not in (1, 3):
            raise ValueError(f"a filmstrip of {self.images.dtype} {self.images.shape}")
        if len(self.steps) != len(self.images):
            raise ValueError(f"{len(self.steps)} steps for {len(self.images)} visits")


def encode_filmstrip(strip: FilmStrip) -> bytes:
    """The strip as PNG without gaps, steps and shape in a text chunk. Equal strips give equal bytes."""
    visits, images, height, width, channels = strip.images.shape
    if not strip.images.size:
        raise ValueError("an empty filmstrip cannot be drawn")
    sheet = strip.images.transpose(0, 2, 1, 3, 4).reshape(visits * height, images * width, channels)
    picture = Image.fromarray(np.ascontiguousarray(sheet[:, :, 0] if channels == 1 else sheet))
    text = PngImagePlugin.PngInfo()
    text.add_text("filmstrip", json.dumps({"steps": strip.steps, "shape": strip.images.shape}))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=text, compress_level=6)
    return buffer.getvalue()


def read_filmstrip(path: Path) -> FilmStrip:
    """Read a filmstrip back, exactly.

    Raises `StabilityError`: the file is missing, damaged or no filmstrip.
    """
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise ValueError("too large")
            sheet = np.asarray(picture)
            text = json.loads(picture.info["filmstrip"])
        visits, images, height, width, channels = text["shape"]
        rows = sheet.reshape(visits, height, images, width, channels)
        return FilmStrip(tuple(text["steps"]), np.ascontiguousarray(rows.transpose(0, 2, 1, 3, 4)))
    except FileNotFoundError:
        raise StabilityError(f"{path}: not found") from None
    except (OSError, ValueError, TypeError, KeyError, SyntaxError, Image.DecompressionBombError) as error:
        raise StabilityError(f"{path}: damaged, this is not a filmstrip ({error})") from None

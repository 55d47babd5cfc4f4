"""Rows of equally large pictures as one PNG without gaps, a JSON note inside. Imports numpy and PIL."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from stability.errors import StabilityError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_PIXELS = 512 * 1024 * 1024
"""More than any study draws; a damaged header must not ask for all memory."""


def check_pictures(images: NDArray[Any], what: str) -> None:
    """Raise `ValueError` unless images are uint8 [rows, columns, h, w, channels] with 1 or 3 channels."""
    if images.dtype != np.uint8 or images.ndim != 5 or images.shape[-1] not in (1, 3):
        raise ValueError(f"a {what} of {images.dtype} {images.shape}")


def as_sheet(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures [rows, columns, h, w, channels] side by side and below each other, as PIL takes them."""
    rows, columns, height, width, channels = images.shape
    sheet = images.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
    return np.ascontiguousarray(sheet[:, :, 0] if channels == 1 else sheet)


def encode_sheet(images: NDArray[np.uint8], what: str, note: Mapping[str, Any]) -> bytes:
    """Pictures as PNG, the note and their shape in its text chunk named `what`; equal input, equal bytes.

    Raises `ValueError`: there are no pictures.
    """
    if not images.size:
        raise ValueError(f"an empty {what} cannot be drawn")
    text = PngImagePlugin.PngInfo()
    text.add_text(what, json.dumps({**note, "shape": images.shape}))
    buffer = io.BytesIO()
    Image.fromarray(as_sheet(images)).save(buffer, "PNG", pnginfo=text, compress_level=6)
    return buffer.getvalue()


def read_sheet(path: Path, what: str) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """Pictures and note of what `encode_sheet` wrote.

    Raises `StabilityError`: the file is missing; `ValueError` and other errors of damaged input: see
    `DAMAGE`.
    """
    try:
        content = path.read_bytes()
        _check_chunks(content)
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise ValueError("too large")
            sheet = np.asarray(picture)
            note: dict[str, Any] = json.loads(picture.info[what])
    except FileNotFoundError:
        raise StabilityError(f"{path}: not found") from None
    rows, columns, height, width, channels = note.pop("shape")
    pictures = sheet.reshape(rows, height, columns, width, channels).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(pictures), note


def _check_chunks(content: bytes) -> None:
    """Raise `ValueError` unless every chunk has its checksum; PIL skips those of the pictures' own data."""
    place, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        length = int.from_bytes(content[place : place + 4])
        chunk = content[place + 4 : place + 8 + length]
        place += 12 + length
        if zlib.crc32(chunk).to_bytes(4) != content[place - 4 : place]:
            raise ValueError("a checksum is wrong")
        kind = chunk[:4]


DAMAGE = (OSError, ValueError, TypeError, KeyError, SyntaxError, Image.DecompressionBombError)
"""What reading a damaged sheet, or one of something else, may raise."""

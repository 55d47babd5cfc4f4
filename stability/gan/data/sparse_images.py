"""Images that are mostly black, small: where they are not, packed as bits, and what they hold there.

MNIST takes an eighth less so than as a compressed array, and is read as fast.
"""

from __future__ import annotations

import lzma

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


def packed(images: Bytes) -> tuple[Bytes, Bytes]:
    """The compressed mask of what is not 0, and the values there in order."""
    mask = lzma.compress(np.packbits(images > 0).tobytes(), preset=9 | lzma.PRESET_EXTREME)
    return np.frombuffer(mask, np.uint8), images[images > 0]


def unpacked(mask: Bytes, values: Bytes, size: int) -> Bytes:
    """The images [n, size, size] again."""
    bits = np.unpackbits(np.frombuffer(lzma.decompress(mask.tobytes()), np.uint8))
    pixels = bits[: bits.size // size**2 * size**2]  # the last byte may be longer than the last image
    pixels[pixels > 0] = values
    return pixels.reshape(-1, size, size)

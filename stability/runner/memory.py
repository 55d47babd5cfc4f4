"""What the C library does with freed memory."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
LARGEST_KEPT = 32 << 20
"""Bytes; glibc takes no larger threshold for mapping a block by itself."""
SPARE = 64 << 20
"""Bytes asked for at a time."""


def keep_freed_memory() -> bool:
    """Tell glibc to keep what is freed for the next tensor; False where there is no such setting.

    Else every large tensor of a step is mapped anew and its pages are faulted in one by one, which took 5% of
    an MLP's step and 5 to 15% of a DCGAN's.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = {M_MMAP_THRESHOLD: LARGEST_KEPT, M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: SPARE}
    return all([mallopt(name, value) == 1 for name, value in settings.items()])

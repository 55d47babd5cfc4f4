"""What the C library does with freed memory, and what is said where there is not enough.

Imports torch only where it is there already: the command line asks, too.
"""

from __future__ import annotations

import ctypes
import gc
import sys

from stability.spec.problems import one_line

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
LARGEST_KEPT = 32 << 20
"""Bytes; glibc takes no larger threshold for mapping a block by itself."""
SPARE = 64 << 20
"""Bytes asked for at a time."""
SHORTAGES = ("can't allocate memory", "out of memory", "bad_alloc", "ALLOC_FAILED", "could not create a ")
"""What errors of allocation say, of torch and its libraries, on any device; they have no class in common. The
last is oneDNN's, which gives no reason."""
REASON = 160
"""Letters of such an error that are told; a GPU's goes on with advice."""


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


def memory_shortage(error: BaseException) -> str | None:
    """In one line that there is not enough memory, and for what, if that is what the error is about."""
    text = str(error).rpartition("DefaultCPUAllocator: ")[2]  # torch says before it where in its code
    told = isinstance(error, RuntimeError) and any(words in text for words in SHORTAGES)
    if not (told or isinstance(error, MemoryError)):
        return None
    return one_line(": ".join(["not enough memory", *filter(None, [" ".join(text.split())])]), REASON)


def free_memory() -> None:
    """Give back what is not needed any more, before less is tried."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

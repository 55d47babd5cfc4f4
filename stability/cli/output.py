"""Standard output, which may go to a full disk, or to somebody who has read enough. Imports only errors."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from stability.errors import StabilityError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What a disk says that takes no more. Whoever writes a file names it in the error; a stream has no name."""


@contextmanager
def written_out() -> Iterator[None]:
    """See to it that what the block prints has been written when it ends.

    Raises `StabilityError`: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno not in FULL:
            raise
        raise _lost(error) from error
    finally:
        _flush()


def _flush() -> None:
    if sys.stdout is None:  # closed before it began
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop()
    except OSError as error:
        raise _lost(error) from error


def _lost(error: OSError) -> StabilityError:
    _drop()
    return StabilityError(f"standard output: {error.strerror or error}")


def _drop() -> None:
    """Let nothing try again, as Python does when it ends, to write what could not be written."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)

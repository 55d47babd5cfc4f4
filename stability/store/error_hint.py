"""Where a line about a damaged file sends its reader. Imports only errors."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stability.errors import StabilityError


@contextmanager
def advised(study: Path) -> Iterator[None]:
    """Let an error about a file of this results folder name the command that says more."""
    try:
        yield
    except StabilityError as error:
        raise StabilityError(f"{plain(error, study)}{_advice(study)}") from error.__cause__


def plain(error: StabilityError, study: Path) -> str:
    """What the error says without that."""
    return str(error).removesuffix(_advice(study))


def _advice(study: Path) -> str:
    if not study.is_dir():  # somebody has removed it
        return ""
    return f"; `stability status {shlex.quote(str(study))} --check` says more"

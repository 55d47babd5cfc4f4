"""How the training of one cohort ended, wherever it was trained. Imports records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from stability.records import RunResult


@dataclass(frozen=True, slots=True)
class Finished:
    """It was trained to its end, and is kept."""

    results: tuple[RunResult, ...]
    files: Mapping[str, bytes] | None = None
    """Its folder, where whoever trained it cannot reach the study's: it is still to be kept."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """It was told to stop, or had to give way to others; what it left is its last checkpoint."""


@dataclass(frozen=True, slots=True)
class Short:
    """It took more memory than there is."""

    reason: str
    """What could not be allocated, in one line."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It cannot be trained there: data are missing, or the study's folder is not what it was."""

    reason: str


End: TypeAlias = Finished | Stopped | Short | Refused


class Died(Exception):
    """Whoever trained it is gone without a word."""

    def __init__(self, how: str, *, for_memory: bool) -> None:
        """`how` continues `the process that trained it ...`; `for_memory` if that may be the reason."""
        super().__init__(how)
        self.how, self.for_memory = how, for_memory

"""What a finished cohort goes on from if its study is lengthened, as one file. Imports checkpoints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from stability.store.checkpoints import DamagedCheckpoint, decode_checkpoint, encode_checkpoint

STATE = re.compile(r"state-([0-9]{1,12})\.safetensors")
"""The file's name holds the step, so that a look at the names tells whether a cohort is finished."""


@dataclass(frozen=True, slots=True)
class CohortState:
    """The runs that trained to the end, and all that their next step depends on."""

    horizon: int
    """The step that their study ended at."""
    active: tuple[str, ...]
    """The runs, in the order of the arrays' rows."""
    arrays: Mapping[str, NDArray[Any]]
    """By name; none where every run had stopped before."""


def state_name(horizon: int) -> str:
    """What the file of the state at this step is called."""
    return f"state-{horizon}.safetensors"


def state_horizon(folder: Path) -> int | None:
    """The step that the state in a cohort's folder is of; None where none was kept."""
    found = (STATE.fullmatch(path.name) for path in folder.glob("state-*"))
    return next((int(name[1]) for name in found if name), None)


def encode_state(state: CohortState) -> bytes:
    """The state as the bytes of a safetensors file."""
    return encode_checkpoint(state.arrays, {"horizon": state.horizon, "active": state.active})


def decode_state(content: bytes) -> CohortState | DamagedCheckpoint:
    """Read what `encode_state` made; anything else is told as damaged."""
    read = decode_checkpoint(content)
    if isinstance(read, DamagedCheckpoint):
        return read
    arrays, note = read
    return CohortState(note["horizon"], tuple(note["active"]), arrays)

"""Train many small GANs, label how each one ends, and say which hyperparameters are safe.

Layers, imports go down only: cli > report > analysis > runner > design > gan > store > outcomes >
records > spec. `analysis` and `report` work without torch; `gan` knows no files and no Optuna.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stability.analysis.frames import StudyFrames

__version__ = "0.1.0"


def load(path: str | Path) -> StudyFrames:
    """Read a results folder as DataFrames: runs, records, evaluations and events; needs no torch.

    Raises `StabilityError`: it is missing, holds no study, is damaged, or has another format version.
    """
    from stability.analysis.frames import load

    return load(path)

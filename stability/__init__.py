"""Train many small GANs, label how each one ends, and say which hyperparameters are safe.

Layers, imports go down only: cli > report > analysis > runner > design > gan > store > outcomes >
records > spec. `analysis` and `report` work without torch; `gan` knows no files and no Optuna.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stability.analysis.frames import StudyFrames

__version__ = "0.1.0"

# MKL's batched products may round by a matrix's place in memory, so that a member's numbers would depend on
# its place in a cohort. This mode forbids it; it must be set before torch computes anything.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

# While OpenMP's threads wait for one another they spin. GNU's library, which torch has on Linux, does so for
# milliseconds: beside another busy process that is time taken from the thread that is waited for. It reads
# these variables once, as torch is loaded. So many turns are fractions of a millisecond, more than Python
# needs between two operations; `python -m benchmarks --only waiting` measures them.
SPIN_COUNT = "10000"
if os.environ.keys().isdisjoint({"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}):
    os.environ["GOMP_SPINCOUNT"] = SPIN_COUNT


def load(path: str | Path) -> StudyFrames:
    """Read a results folder as DataFrames: runs, records, evaluations and events; needs no torch.

    Raises `StabilityError`: it is missing, holds no study, is damaged, or has another format version.
    """
    from stability.analysis.frames import load

    return load(path)

"""Train many small GANs, label how each one ends, and say which hyperparameters are safe.

Layers, imports go down only, in two wings on one ground (store > outcomes > records > spec > vocabulary):
one trains (monitor > runner > design > gan), one reads and tells (report > questions > page_kit > reading >
statistics) and works without torch; `gan` knows no files and no Optuna.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stability.monitor.monitor import Monitor
    from stability.questions.advice.answer import Advice
    from stability.reading.frames import StudyFrames

__all__ = ["Monitor", "__version__", "advise", "load"]
__version__ = "1.0.0"

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
    from stability.reading.frames import load

    return load(path)


def advise(
    results: str | Path | StudyFrames | Mapping[str, Any] | None, setting: Mapping[str, Any] | None = None
) -> Advice:
    """Say how likely a run at a setting succeeds, how the nearest runs ended, which one change helps most.

    `setting` is as in `{"loss": "hinge", "lr": 2e-4}`, `results` a results folder or what `load` returned.
    Without results, `advise({"loss": "hinge"})`, the atlas answers that ships: the published comparison of
    losses in the architecture of the setting, by default MLPs. Printed, the answer reads as in a terminal.
    Needs no torch. Raises `StabilityError` for a parameter that there is not, a value that it cannot have,
    and as `load`.
    """
    from stability.questions.advice.estimate import advise

    if isinstance(results, Mapping):
        if setting is not None:
            raise TypeError("advise takes (setting) or (results, setting), not two settings")
        return advise(None, results)
    return advise(results, setting or {})


def __getattr__(name: str) -> Any:
    """`Monitor`, which imports torch, once it is asked for."""
    if name == "Monitor":
        from stability.monitor.monitor import Monitor

        return Monitor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Which runs a sheet shows, in which order, under which codes: all of it decided by a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stability.errors import StabilityError
from stability.reading.frames import StudyFrames


@dataclass(frozen=True, eq=False)
class Item:
    """One run of a sheet."""

    code: str
    """What judges know it by, such as `A017`."""
    study: StudyFrames
    run: str


def draw_items(studies: Sequence[StudyFrames], *, runs: int | None, seed: int) -> list[Item]:
    """Finished runs of all studies in random order, `runs` of them where fewer are wanted.

    The letter of the codes goes with the seed, so that sheets of other seeds are not mistaken for this one.
    Raises StabilityError: nothing has finished, or more runs are asked for than have.
    """
    finished = [(study, str(run)) for study in studies for run in study.runs["run"]]
    wanted = len(finished) if runs is None else runs
    if not finished:
        raise StabilityError(f"{studies[0].folder}: no run has finished yet")
    if wanted > len(finished):
        raise StabilityError(f"--runs {wanted}: only {len(finished)} have finished")
    order = np.random.default_rng(seed).permutation(len(finished))[:wanted]
    letter = chr(ord("A") + seed % 26)
    return [Item(f"{letter}{place:03d}", *finished[k]) for place, k in enumerate(order, start=1)]

"""What `stability sheet` writes: a blinded sheet, with real examples where the data set is at hand."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from stability.errors import StabilityError
from stability.reading.frames import StudyFrames, load
from stability.report.sheet import Plan, write_sheet

EXAMPLES = 16
"""As many as a film has images."""


def sheet(folders: Sequence[Path], out: Path, plan: Plan, data_root: Path | None) -> Iterator[str]:
    """Write a sheet of the runs in these results folders; yield a line for everything worth knowing.

    Raises StabilityError where a folder holds no study, or the sheet cannot be written.
    """
    missing: list[str] = []

    def examples(study: StudyFrames) -> NDArray[np.uint8] | None:
        try:
            return _examples(study, data_root)
        except StabilityError as error:
            missing.append(f"no real examples beside the runs of {study.name}: {error}")
            return None

    console = Console(stderr=True)
    items = write_sheet(
        [load(folder) for folder in folders],
        out,
        plan,
        examples=examples,
        watched=lambda items: track(
            items, "drawing", console=console, transient=True, disable=not console.is_terminal
        ),
    )
    yield from missing
    yield f"wrote {out / 'sheet.html'}, {out / 'items'} and {out / 'marks.csv'}: {len(items)} runs"
    yield f"next: judge them without looking at {out / 'key.csv'}, then {_agree(folders, out)}"


def _agree(folders: Sequence[Path], out: Path) -> str:
    return shlex.join(["stability", "agree", *map(str, folders), str(out / "marks.csv")])


def _examples(study: StudyFrames, data_root: Path | None) -> NDArray[np.uint8]:
    import torch

    from stability.gan.data.datasets import load_dataset
    from stability.gan.data.examples import real_examples

    spec = study.spec
    dataset = load_dataset(
        spec.dataset, device=torch.device("cpu"), data_root=data_root, image_size=spec.image_size
    )
    return real_examples(dataset, EXAMPLES)

"""A sheet's folder: the page to judge on, the same items as pictures, a file for marks, and the key."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stability.errors import StabilityError
from stability.page_kit.pictures import Picture, encode_picture
from stability.questions.agreement.marks import KEY_FIELDS, MARK_FIELDS
from stability.reading.frames import StudyFrames
from stability.report.sheet.items import Item, draw_items
from stability.report.sheet.page import PageItem, render_sheet
from stability.report.sheet.picture import item_picture, stacked
from stability.store.files import folder_at_once, os_errors_as_stability

PAGE, MARKS, KEY = "sheet.html", "marks.csv", "key.csv"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sheet is to hold."""

    runs: int | None = None
    """Drawn at random; None: all that have finished."""
    seed: int = 0
    """Of the draw, the order and the codes."""
    montage: int | None = None
    """Items on each page of pictures, as PNG; None: no such pages."""


def write_sheet(
    studies: Sequence[StudyFrames],
    out: Path,
    plan: Plan,
    *,
    examples: Callable[[StudyFrames], NDArray[np.uint8] | None],
    watched: Callable[[Sequence[Item]], Iterable[Item]] = iter,
) -> list[Item]:
    """Write a sheet of runs into a new folder, all or nothing, and return its items.

    `examples` gives real examples [n, h, w, channels] of a study's data set, or None where they are not at
    hand; `watched` may tell how far the items are.
    Raises StabilityError: the folder is there already, it cannot be written, or the plan asks for more runs
    than have finished.
    """
    if out.exists():
        raise StabilityError(f"{out}: exists already, perhaps with marks in it; give another folder")
    items = draw_items(studies, runs=plan.runs, seed=plan.seed)
    real = {id(study): examples(study) for study in {id(item.study): item.study for item in items}.values()}
    with os_errors_as_stability(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    with folder_at_once(out) as folder:
        drawn = [
            PageItem(item.code, encode_picture(item_picture(item, real[id(item.study)])))
            for item in watched(items)
        ]
        _write(folder / PAGE, render_sheet(drawn).encode())
        _write(folder / MARKS, _as_csv(MARK_FIELDS, [(item.code, "", "", "", "") for item in items]))
        _write(
            folder / KEY,
            _as_csv(KEY_FIELDS, [(item.code, str(item.study.folder), item.run) for item in items]),
        )
        for item in drawn:
            _write(folder / "items" / f"{item.code}.png", item.picture)
        for place, page in enumerate(_pages(drawn, plan.montage), start=1):
            _write(folder / "pages" / f"page-{place:02d}.png", encode_picture(page))
    return items


def _pages(drawn: Sequence[PageItem], per_page: int | None) -> Iterator[Picture]:
    for first in range(0, len(drawn) if per_page else 0, per_page or 1):
        on_page = drawn[first : first + (per_page or 1)]
        yield stacked([Image.open(io.BytesIO(item.picture)) for item in on_page])


def _as_csv(fields: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(fields)
    writer.writerows(rows)
    return text.getvalue().encode()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)

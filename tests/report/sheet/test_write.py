"""A sheet's folder, and that nothing in it but the key gives anything away."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from stability.errors import StabilityError
from stability.reading.frames import StudyFrames
from stability.records import Outcome
from stability.report.sheet import Plan, write_sheet
from stability.spec import Config, Design
from stability.store.sheets import SIGNATURE

MakeStudy = Callable[..., StudyFrames]
PLAN = Plan(runs=3, seed=5, montage=2)


def real(study: StudyFrames) -> NDArray[np.uint8]:
    return np.full((16, 28, 28, 1), 77, np.uint8)


@pytest.fixture
def study(make_study: MakeStudy) -> StudyFrames:
    return make_study(design=Design(points=2, seeds=1, cross=("loss",)), name="telltale-name")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def height(path: Path) -> int:
    with Image.open(path) as picture:
        return picture.height


def chunks(png: bytes) -> set[bytes]:
    kinds, place = set(), len(SIGNATURE)
    while place < len(png):
        kinds.add(png[place + 4 : place + 8])
        place += 12 + int.from_bytes(png[place : place + 4])
    return kinds


def test_what_is_in_the_folder(study: StudyFrames, tmp_path: Path) -> None:
    out = tmp_path / "new" / "sheet"
    items = write_sheet([study], out, PLAN, examples=real)
    pictures = {"items/F001.png", "items/F002.png", "items/F003.png"}
    pages = {"pages/page-01.png", "pages/page-02.png"}
    assert set(contents(out)) == {"sheet.html", "marks.csv", "key.csv", *pictures, *pages}
    heights = [height(out / name) for name in sorted(pictures | pages)]
    assert heights[3:] == [2 * heights[0], heights[0]]
    with (out / "key.csv").open(newline="") as file:
        key = list(csv.DictReader(file))
    assert [tuple(row.values()) for row in key] == [(i.code, str(study.folder), i.run) for i in items]
    assert (out / "marks.csv").read_text() == (
        "code,label,second,quality,comment\nF001,,,,\nF002,,,,\nF003,,,,\n"
    )


def test_nothing_but_the_key_depends_on_labels_reasons_and_configurations(
    study: StudyFrames, tmp_path: Path
) -> None:
    runs = study.runs
    others = {name: "telltale" for name in Config.model_fields if name in runs and runs[name].dtype == object}
    outcomes = [
        str(Outcome.STABLE if name != Outcome.STABLE else Outcome.DIVERGED) for name in runs["outcome"]
    ]
    changed = runs.assign(**others, lr=0.123, lr_d=0.1, lr_g=0.2, seed=99, outcome=outcomes, reason="other")
    swapped = dataclasses.replace(study, runs=changed, events=study.events.head(0))
    write_sheet([study], tmp_path / "one", PLAN, examples=real)
    write_sheet([swapped], tmp_path / "two", PLAN, examples=real)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_no_name_and_no_hidden_text_is_in_page_or_pictures(study: StudyFrames, tmp_path: Path) -> None:
    write_sheet([study], tmp_path / "sheet", PLAN, examples=real)
    page = (tmp_path / "sheet" / "sheet.html").read_text()
    for word in (*study.runs["run"], *study.runs["trial"], study.name, str(study.folder), "hinge", "minimax"):
        assert word not in page
    for picture in tmp_path.rglob("sheet/**/*.png"):
        assert chunks(picture.read_bytes()) == {b"IHDR", b"IDAT", b"IEND"}


def test_the_page_shows_the_items_themselves(study: StudyFrames, tmp_path: Path) -> None:
    write_sheet([study], tmp_path / "sheet", PLAN, examples=real)
    page = (tmp_path / "sheet" / "sheet.html").read_text()
    assert page.count('<img class="item"') == 3
    for outcome in Outcome:
        assert page.count(f'value="{outcome}"') == 1
    assert "http" not in page.replace("http-equiv", "")


def test_a_folder_that_is_there_is_left_alone(study: StudyFrames, tmp_path: Path) -> None:
    (tmp_path / "marks.csv").write_text("mine")
    with pytest.raises(StabilityError, match="exists already, perhaps with marks in it"):
        write_sheet([study], tmp_path, PLAN, examples=real)
    assert (tmp_path / "marks.csv").read_text() == "mine"


def test_a_sheet_that_fails_leaves_nothing(study: StudyFrames, tmp_path: Path) -> None:
    def stops(items: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sheet([study], tmp_path / "sheet", PLAN, examples=real, watched=stops)  # type: ignore[arg-type]
    assert not (tmp_path / "sheet").exists()
    assert not list(tmp_path.glob(".sheet*"))

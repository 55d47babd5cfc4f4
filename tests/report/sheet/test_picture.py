from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from stability.page_kit.pictures import Picture
from stability.reading.frames import StudyFrames
from stability.report.sheet.items import Item
from stability.report.sheet.picture import BOX, CAPTION, EDGE, GAP, PAGE_HEIGHT, WIDTH, item_picture, stacked
from stability.spec import Design
from stability.store import FilmStrip, Store
from stability.store.filmstrips import encode_filmstrip

MakeStudy = Callable[..., StudyFrames]


@pytest.fixture
def item(make_study: MakeStudy) -> Item:
    study = make_study(design=Design(points=1, seeds=1, cross=("loss",)))
    return Item("A001", study, str(study.runs["run"].iloc[0]))


def keep_film(item: Item, film: FilmStrip) -> None:
    Store(item.study.folder, item.study.plan).picture(item.run).write_bytes(encode_filmstrip(film))


def frame(picture: Picture, place: int) -> NDArray[np.uint8]:
    """The place-th frame of the film, without its caption."""
    left, top = EDGE + place * (BOX + GAP), picture.height - EDGE - BOX
    return np.asarray(picture)[top : top + BOX, left : left + BOX]


def test_six_visits_are_spread_over_the_run_the_last_two_among_them(item: Item) -> None:
    shades = 20 * np.arange(1, 11, dtype=np.uint8)
    images = np.broadcast_to(shades[:, None, None, None, None], (10, 16, 28, 28, 1))
    keep_film(item, FilmStrip(tuple(range(100, 1001, 100)), np.ascontiguousarray(images)))
    picture = item_picture(item, None)
    shown = [int(frame(picture, place).mean()) for place in range(6)]
    assert shown == [20, 60, 100, 140, 180, 200]


@pytest.mark.parametrize(
    ("side", "count", "wide"), [(28, 16, 4), (32, 16, 4), (64, 16, 2), (64, 1, 1), (28, 3, 1)]
)
def test_a_frame_holds_as_many_images_as_are_legible(item: Item, side: int, count: int, wide: int) -> None:
    images = np.zeros((1, count, side, side, 1), np.uint8)
    images[0, ::2] = 255
    keep_film(item, FilmStrip((100,), images))
    step = BOX // wide
    centres = frame(item_picture(item, None), 0)[step // 2 :: step, step // 2 :: step, 0]
    expected = 255 * (np.arange(wide * wide).reshape(wide, wide) % 2 == 0)
    np.testing.assert_array_equal(centres, expected)


def test_colours_stay(item: Item) -> None:
    images = np.zeros((1, 4, 32, 32, 3), np.uint8)
    images[..., 2] = 200
    keep_film(item, FilmStrip((100,), images))
    assert frame(item_picture(item, None), 0).mean((0, 1)).tolist() == [0, 0, 200]


def test_real_examples_stand_above_the_last_frame(item: Item) -> None:
    plain = np.asarray(item_picture(item, None))
    real = np.asarray(item_picture(item, np.full((16, 28, 28, 1), 90, np.uint8)))
    rows, columns, _ = (plain != real).nonzero()
    assert columns.min() >= WIDTH - EDGE - BOX
    assert rows.max() < plain.shape[0] - BOX
    assert (real[:, WIDTH - EDGE - BOX : WIDTH - EDGE] == 90).all(2).sum() == BOX * BOX


def test_a_run_without_visits_and_pictures(item: Item) -> None:
    Store(item.study.folder, item.study.plan).picture(item.run).unlink()
    unvisited = dataclasses.replace(item.study, evaluations=item.study.evaluations.head(0))
    picture = item_picture(dataclasses.replace(item, study=unvisited), None)
    below = np.asarray(picture)[-EDGE - BOX - CAPTION :]
    assert (below < 128).any()  # a sentence says so
    assert (frame(picture, 1) == 255).all()


def test_pages_are_no_higher_than_can_be_looked_at() -> None:
    items = [Image.new("RGB", (WIDTH, 470), shade) for shade in ("#111111", "#888888", "#eeeeee", "#333333")]
    three, four = stacked(items[:3]), stacked(items)
    assert three.size == (WIDTH, 3 * 470)
    assert [three.getpixel((9, 470 * k + 200))[0] for k in range(3)] == [0x11, 0x88, 0xEE]
    assert four.height == PAGE_HEIGHT
    assert four.width == round(WIDTH * PAGE_HEIGHT / (4 * 470))

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stability.page_kit.pictures import (
    as_picture,
    coordinates,
    encode_film,
    encode_picture,
    enlarged,
    film_frames,
    latent_picture,
)
from stability.store import FilmStrip, LatentView


def strip(visits: int = 5, images: int = 4, channels: int = 1, side: int = 6) -> FilmStrip:
    shape = (visits, images, side, side, channels)
    pixels = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    return FilmStrip(tuple(range(1000, 1000 * visits + 1, 1000)), pixels)


def view(**changes: Any) -> LatentView:
    pixels = np.random.default_rng(2).integers(0, 256, (3, 4, 6, 6, 1)).astype(np.uint8)
    return LatentView(
        **({"kind": "interpolation", "latent": "normal", "latent_dim": 9, "images": pixels} | changes)
    )


def opened(content: bytes) -> Any:
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize("visits", [1, 2, 40])
@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_a_film_has_as_many_frames_as_visits_and_loops(visits: int, kind: Any) -> None:
    film = strip(visits)
    with opened(encode_film(film_frames(film, range(visits), wide=2, scale=2), kind)) as moving:
        assert moving.n_frames == visits
        assert moving.format == kind
        if visits > 1:
            assert moving.info["loop"] == 0


def test_visits_that_drew_the_same_are_frames_of_their_own() -> None:
    film = FilmStrip((1, 2, 3), np.zeros((3, 4, 6, 6, 1), np.uint8))
    with opened(encode_film(film_frames(film, range(3), wide=4, scale=4), "GIF")) as moving:
        assert moving.n_frames == 3


@pytest.mark.parametrize("channels", [1, 3])
def test_an_exact_film_shows_each_pixel_as_a_square(channels: int) -> None:
    film = strip(3, channels=channels)
    with opened(encode_film(film_frames(film, [0, 2], wide=4, scale=3), "PNG")) as moving:
        for place, visit in enumerate([0, 2]):
            moving.seek(place)
            frame = np.asarray(moving.convert("RGB"))[:18, :72]
            expected = film.images[visit].transpose(1, 0, 2, 3).reshape(6, 24, channels).repeat(3, 0)
            np.testing.assert_array_equal(frame, np.broadcast_to(expected.repeat(3, 1), (18, 72, 3)))


def test_the_step_is_printed_under_each_frame() -> None:
    film = strip(2)
    first, second = (np.asarray(frame)[24:] for frame in film_frames(film, [0, 1], wide=4, scale=4))
    assert first.shape == (20, 96)
    assert (first > 128).any()
    assert not np.array_equal(first, second)


def test_images_fill_whole_rows() -> None:
    film = strip(1, images=5)
    (frame,) = film_frames(film, [0], wide=2, scale=8)
    assert frame.size == (2 * 48, 2 * 48 + 20)
    (frame,) = film_frames(film, [0], wide=8, scale=8)
    assert frame.size == (5 * 48, 48 + 20)


def test_a_film_slows_down_at_its_end() -> None:
    with opened(encode_film(film_frames(strip(30), range(30), wide=4, scale=1), "GIF")) as moving:
        durations = []
        for place in range(30):
            moving.seek(place)
            durations.append(moving.info["duration"])
    assert durations[:-1] == [durations[0]] * 29
    assert 80 <= durations[0] <= 600
    assert durations[-1] > 1000


def test_enlarging_keeps_every_shade() -> None:
    sheet = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert np.asarray(enlarged(sheet, 2)).tolist() == np.kron(sheet, np.ones((2, 2), int)).tolist()


def test_a_picture_of_a_view_is_exact() -> None:
    one = view()
    with opened(encode_picture(as_picture(one))) as picture:
        np.testing.assert_array_equal(np.asarray(picture)[6:12, 18:], one.images[1, 3, :, :, 0])


SQUARE = np.zeros((9, 9, 6, 6, 1), np.uint8)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "3 walks through latent space: each row goes from one fixed point to another along the great"),
        ({"latent": "uniform"}, "along the straight line between them, in 4 steps."),
        ({"latent_dim": 1}, "along the straight line"),
        ({"kind": "manifold", "images": SQUARE}, "go from -2 to 2: the first to the right,"),
        ({"kind": "manifold", "latent": "uniform", "images": SQUARE}, "go from -1 to 1:"),
    ],
)
def test_coordinates_are_named(changes: dict[str, Any], words: str) -> None:
    assert words in coordinates(view(**changes))


@pytest.mark.parametrize("channels", [1, 3])
def test_views_of_seeds_stand_side_by_side_exactly(channels: int) -> None:
    rng = np.random.default_rng(3)
    images = rng.integers(0, 200, (2, 3, 4, 6, 6, channels)).astype(np.uint8)
    rows = [[(f"run-{k}", view(images=own)) for k, own in enumerate(images)]]
    with opened(latent_picture(rows, title="a study", scale=2)) as picture:
        page = np.asarray(picture).reshape(picture.height, picture.width, channels)
    places = [found(page, own.transpose(0, 2, 1, 3, 4).reshape(18, 24, channels)) for own in images]
    (top, left), (other_top, other_left) = places
    assert top == other_top
    assert other_left >= left + 48
    assert (page[:top] < 100).any()  # names and title
    assert (page[top + 36 :] < 100).any()  # coordinates


def found(page: np.ndarray, sheet: np.ndarray) -> tuple[int, int]:
    """Where a sheet stands in the page, at twice its size."""
    large = sheet.repeat(2, 0).repeat(2, 1)
    windows = np.lib.stride_tricks.sliding_window_view(page, large.shape)
    (place,) = np.argwhere((windows == large).all((-3, -2, -1)))
    return int(place[0]), int(place[1])


def test_two_kinds_of_views_stand_below_each_other() -> None:
    rows = [[("r", view(kind="manifold", images=SQUARE))], [("r", view())]]
    with opened(latent_picture(rows, title="t", scale=2)) as both, opened(
        latent_picture(rows[:1], title="t", scale=2)
    ) as one:  # fmt: skip
        assert both.height > one.height + 3 * 6 * 2


def test_a_long_name_is_not_cut() -> None:
    short, long = (latent_picture([[(name, view())]], title="t", scale=1) for name in ("r", "r" * 90))
    with opened(short) as one, opened(long) as other:
        assert other.width > one.width + 300

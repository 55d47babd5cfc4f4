from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stability.analysis.frames import StudyFrames
from stability.analysis.study import Study
from stability.report import gallery as module
from stability.report.gallery import MOST_FRAMES, SIDE, gallery, real_examples
from stability.report.palette import LOOKS
from stability.report.pictures import PROGRESS
from stability.spec import Design
from stability.store import FilmStrip, Store
from stability.store.filmstrips import encode_filmstrip

MakeStudy = Callable[..., StudyFrames]


def opened(source: str) -> Any:
    return Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))


def with_films(frames: StudyFrames, images: np.ndarray) -> StudyFrames:
    """The same study with one film for all runs, images [visits, images, h, w, channels]."""
    strip = encode_filmstrip(FilmStrip(tuple(range(100, 100 * len(images) + 1, 100)), images))
    for run in frames.runs["run"]:
        Store(frames.folder, frames.plan).picture(str(run)).write_bytes(strip)
    return frames


def test_real_examples_come_first_then_every_outcome_that_happened(make_study: MakeStudy) -> None:
    study = Study(make_study())
    real, *tiles = gallery(study)
    assert (real.outcome, real.run, real.share) == ("", "", "from mnist")
    assert {tile.outcome for tile in tiles} == set(study.runs["outcome"])
    outcomes = study.runs.set_index("run")["outcome"]
    for tile in tiles:
        n_alike = int((outcomes == tile.outcome).sum())
        assert outcomes[tile.run] == tile.outcome
        assert tile.share == f"{100 * n_alike / 36:.0f}%, {n_alike} of 36"
        assert tile.why == LOOKS[tile.outcome].meaning


def test_a_tile_is_the_last_frame_and_the_film_that_leads_to_it(make_study: MakeStudy) -> None:
    images = np.zeros((40, 20, 28, 28, 1), np.uint8)
    images[-1] = 200
    study = Study(with_films(make_study(design=Design(points=1, seeds=1, cross=())), images))
    film = gallery(study)[-1].film
    assert film is not None
    with opened(film.still) as still, opened(film.moving) as moving:
        assert moving.n_frames == MOST_FRAMES
        assert still.size == moving.size == (film.width, film.height) == (SIDE * 28, SIDE * 28 + PROGRESS)
        pixels = np.asarray(still.convert("L"))
        assert (pixels[: SIDE * 28] == 200).all()
        assert np.asarray(moving.convert("L"))[0, 0] == 0
        moving.seek(MOST_FRAMES - 1)
        assert np.array_equal(np.asarray(moving.convert("L")), pixels)
    assert film.alt.startswith("16 images of a typical run that ended")
    assert film.alt.endswith("from step 100 to step 4,000")


@pytest.mark.parametrize(
    ("shape", "side", "moves"),
    [((1, 16, 28, 28, 1), 4, False), ((16, 16, 64, 64, 3), 1, True), ((10, 1, 64, 64, 1), 1, True)],
    ids=["one visit", "large images", "points"],
)
def test_few_visits_and_large_images_have_a_picture_too(
    make_study: MakeStudy, shape: tuple[int, ...], side: int, *, moves: bool
) -> None:
    frames = make_study(design=Design(points=1, seeds=1, cross=()))
    film = gallery(Study(with_films(frames, np.zeros(shape, np.uint8))))[-1].film
    assert film is not None
    assert bool(film.moving) == moves
    assert film.alt.startswith(f"{side * side} image")
    assert film.width == side * shape[3] * max(1, round(module.WIDTH / (side * shape[3])))


def test_a_run_without_pictures_has_a_tile_without_one(make_study: MakeStudy) -> None:
    frames = make_study(design=Design(points=1, seeds=1, cross=()))
    for picture in frames.folder.rglob("filmstrips/*.png"):
        picture.unlink()
    assert gallery(Study(frames))[-1].film is None


@pytest.mark.parametrize("dataset", ["folder:pictures/../mnist", "cifar10", "fashion-mnist"])
def test_nothing_is_made_up_for_data_that_do_not_come_with_the_package(dataset: str) -> None:
    assert real_examples(dataset) is None


@pytest.mark.parametrize("dataset", ["mnist", "digits-stacked", "ring", "grid", "dirac"])
def test_the_examples_in_the_package_are_those_of_the_data(dataset: str) -> None:
    """Written by `encode_sheet(real_examples(load_dataset(NAME), 16)[None], "examples", {})`."""
    torch = pytest.importorskip("torch")
    from stability.gan.data import load_dataset
    from stability.gan.examples import real_examples as drawn

    kept = real_examples(dataset)
    assert kept is not None
    assert np.array_equal(kept, drawn(load_dataset(dataset, device=torch.device("cpu")), 16))

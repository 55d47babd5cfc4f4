from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stability.page_kit.palette import LOOKS
from stability.reading.frames import StudyFrames
from stability.reading.study import Study
from stability.report import gallery as module
from stability.report.gallery import SIDE, gallery, real_examples
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
        before = "; this is the last picture before that, of step 400" if tile.outcome == "diverged" else ""
        assert tile.why == LOOKS[tile.outcome].meaning + before


def test_a_tile_is_the_last_frame(make_study: MakeStudy) -> None:
    images = np.zeros((40, 20, 28, 28, 1), np.uint8)
    images[-1] = 200
    study = Study(with_films(make_study(design=Design(points=1, seeds=1, cross=())), images))
    still = gallery(study)[-1].still
    assert still is not None
    with opened(still.source) as picture:
        assert picture.size == (still.width, still.height) == (SIDE * 28, SIDE * 28)
        assert (np.asarray(picture.convert("L")) == 200).all()
    assert still.alt.startswith("16 images of a typical run that ended")
    assert still.alt.endswith(", at step 4,000")


@pytest.mark.parametrize(
    ("shape", "side"),
    [((1, 16, 28, 28, 1), 4), ((2, 16, 128, 128, 3), 1), ((10, 1, 64, 64, 1), 1)],
    ids=["one visit", "large images", "points"],
)
def test_few_visits_and_large_images_have_a_picture_too(
    make_study: MakeStudy, shape: tuple[int, ...], side: int
) -> None:
    frames = make_study(design=Design(points=1, seeds=1, cross=()))
    still = gallery(Study(with_films(frames, np.zeros(shape, np.uint8))))[-1].still
    assert still is not None
    assert still.alt.startswith(f"{side * side} image")
    assert still.width == side * shape[3] * max(1, round(module.WIDTH / (side * shape[3])))


def test_a_run_without_pictures_has_a_tile_without_one(make_study: MakeStudy) -> None:
    frames = make_study(design=Design(points=1, seeds=1, cross=()))
    for picture in frames.folder.rglob("filmstrips/*.png"):
        picture.unlink()
    assert gallery(Study(frames))[-1].still is None


@pytest.mark.parametrize("dataset", ["folder:pictures/../mnist", "cifar10"])
def test_nothing_is_made_up_for_data_that_have_no_examples_in_the_package(dataset: str) -> None:
    assert real_examples(dataset) is None


@pytest.mark.parametrize("dataset", ["mnist", "digits-stacked", "ring", "grid", "dirac"])
def test_the_examples_in_the_package_are_those_of_the_data(dataset: str) -> None:
    """Written by `encode_sheet(real_examples(load_dataset(NAME), 16)[None], "examples", {})`."""
    torch = pytest.importorskip("torch")
    from stability.gan.data.datasets import load_dataset
    from stability.gan.data.examples import real_examples as drawn

    kept = real_examples(dataset)
    assert kept is not None
    assert np.array_equal(kept, drawn(load_dataset(dataset, device=torch.device("cpu")), 16))

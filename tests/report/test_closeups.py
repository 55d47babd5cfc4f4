from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from stability.reading.frames import StudyFrames
from stability.report.closeups import MOST_VIEWS, trial_views
from stability.spec import Design
from stability.store import LatentView, Store
from stability.store.latent_views import encode_latent_view

MakeStudy = Callable[..., StudyFrames]


def opened(source: str) -> Any:
    return Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))


def store_of(frames: StudyFrames) -> Store:
    return Store(frames.folder, frames.plan)


def test_the_run_comes_first_and_at_most_two_others(make_study: MakeStudy) -> None:
    frames = make_study(design=Design(points=1, seeds=5, cross=("loss",)))
    views = trial_views(store_of(frames), frames.runs, "p000-hinge-s3")
    assert views is not None
    pictures = views["pictures"]
    assert [view["run"] for view in pictures] == ["p000-hinge-s3", "p000-hinge-s0", "p000-hinge-s1"]
    assert len(pictures) == MOST_VIEWS
    assert views["note"].startswith("6 walks through latent space")
    outcomes = frames.runs.set_index("run")["outcome"]
    assert [view["outcome"] for view in pictures] == [outcomes[view["run"]] for view in pictures]


def test_a_run_without_a_view_has_none_of_its_siblings(make_study: MakeStudy) -> None:
    frames = make_study(design=Design(points=1, seeds=2, cross=("loss",)))
    store_of(frames).latent_view("p000-hinge-s0").unlink()
    assert trial_views(store_of(frames), frames.runs, "p000-hinge-s0") is None
    views = trial_views(store_of(frames), frames.runs, "p000-hinge-s1")
    assert views is not None
    assert [view["run"] for view in views["pictures"]] == ["p000-hinge-s1"]


def test_a_large_manifold_keeps_its_corners(make_study: MakeStudy) -> None:
    frames = make_study(design=Design(points=1, seeds=1, cross=()))
    run = str(frames.runs["run"].iloc[0])
    images = np.zeros((9, 9, 64, 64, 3), np.uint8)
    for row, column in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        images[row, column] = 200
    view = LatentView("manifold", "normal", 2, images)
    store_of(frames).latent_view(run).write_bytes(encode_latent_view(view))
    views = trial_views(store_of(frames), frames.runs, run)
    assert views is not None
    (shown,) = views["pictures"]
    with opened(shown["source"]) as picture:
        sheet = np.asarray(picture)
    assert sheet.shape == (3 * 64, 3 * 64, 3)
    assert [sheet[y, x, 0] for y in (0, -1) for x in (0, -1)] == [200] * 4
    assert "from -2 to 2" in views["note"]


def test_a_large_interpolation_keeps_whole_rows(make_study: MakeStudy) -> None:
    frames = make_study(design=Design(points=1, seeds=1, cross=()))
    run = str(frames.runs["run"].iloc[0])
    view = LatentView("interpolation", "normal", 9, np.zeros((6, 8, 64, 64, 3), np.uint8))
    store_of(frames).latent_view(run).write_bytes(encode_latent_view(view))
    views = trial_views(store_of(frames), frames.runs, run)
    assert views is not None
    (shown,) = views["pictures"]
    assert (shown["width"], shown["height"]) == (8 * 64, 3 * 64)
    assert views["note"].startswith("3 walks")

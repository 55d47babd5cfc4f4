from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_studies import StopAfter, run_small, small_spec

from stability.cli.show_view import DataPlace, show
from stability.errors import StabilityError
from stability.page_kit.pictures import encode_picture
from stability.store import Store, read_filmstrip, read_latent_view

Command = Any
RUN = "p000-hinge-s1"
KEEPING = ("recording.keep_weights=true", "space.loss=[hinge, wasserstein]", "design.points=1")


@pytest.fixture(scope="module")
def keeping(_small_world: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study with kept weights; not to be written to."""
    folder = tmp_path_factory.mktemp("keeping") / "small"
    assert run_small(small_spec(*KEEPING), folder)
    return folder


def pictures(folder: Path) -> dict[str, tuple[int, int]]:
    sizes = {}
    for path in folder.iterdir():
        with Image.open(path) as picture:
            sizes[path.name] = picture.size
    return sizes


def test_it_writes_and_names_the_film_and_the_views(
    stability: Command, workplace: Path, keeping: Path
) -> None:
    answer = stability("show", keeping, RUN)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        f"wrote reports/{RUN}-film.gif",
        "wrote reports/p000-hinge-latent.png",
    ]
    sizes = pictures(workplace / "reports")
    assert set(sizes) == {f"{RUN}-film.gif", "p000-hinge-latent.png"}
    width, height = sizes["p000-hinge-latent.png"]
    assert width > 2 * 8 * 28 * 2  # both seeds side by side, eight images each, twice their size
    assert height > 6 * 28 * 2


def test_the_film_has_a_frame_a_visit(keeping: Path, tmp_path: Path) -> None:
    list(show(keeping, RUN, tmp_path, DataPlace()))
    film = read_filmstrip(Store.open(keeping).picture(RUN))
    with Image.open(tmp_path / f"{RUN}-film.gif") as picture:
        assert picture.n_frames == len(film.steps) == 2
        assert picture.info["loop"] == 0
        for place in range(2):
            picture.seek(place)
            shown = np.asarray(picture.convert("L"))[: 3 * 28 : 3, : 8 * 3 * 28 : 3]
            expected = film.images[place, :8, :, :, 0].transpose(1, 0, 2).reshape(28, -1)
            np.testing.assert_array_equal(shown, expected)


def test_every_seed_of_the_trial_is_shown_whichever_was_named(keeping: Path, tmp_path: Path) -> None:
    shown = []
    for run in ("p000-hinge-s0", RUN, "p000-wasserstein-s0"):
        list(show(keeping, run, tmp_path / run, DataPlace()))
        shown.append(next((tmp_path / run).glob("*-latent.png")).read_bytes())
    assert shown[0] == shown[1] != shown[2]


def test_what_is_drawn_is_what_was_kept(keeping: Path, tmp_path: Path) -> None:
    list(show(keeping, RUN, tmp_path, DataPlace()))
    with Image.open(tmp_path / "p000-hinge-latent.png") as picture:
        page = np.asarray(picture)
    store = Store.open(keeping)
    for run in ("p000-hinge-s0", "p000-hinge-s1"):
        row = read_latent_view(store.latent_view(run)).images[0]
        line = row[:, :, :, 0].transpose(1, 0, 2).reshape(28, -1).repeat(2, 0).repeat(2, 1)
        assert any(
            np.array_equal(page[top : top + len(line), left : left + line.shape[1]], line)
            for top in range(page.shape[0] - len(line))
            for left in range(page.shape[1] - line.shape[1])
            if page[top, left] == line[0, 0] and np.array_equal(page[top, left : left + 60], line[0, :60])
        )


def test_two_latent_coordinates_have_both_views(tmp_path: Path) -> None:
    folder = tmp_path / "plane"
    assert run_small(small_spec(*KEEPING, "fixed.latent_dim=2", "space.loss=[hinge]"), folder)
    assert read_latent_view(Store.open(folder).latent_view(RUN)).kind == "manifold"
    list(show(folder, RUN, tmp_path, DataPlace()))
    with Image.open(tmp_path / "p000-hinge-latent.png") as picture:
        assert picture.height > (9 + 6) * 28 * 2


def test_without_weights_there_is_the_film_alone(stability: Command, workplace: Path, finished: Path) -> None:
    answer = stability("show", finished, "p000-minimax-s1", "--out", "pictures")
    assert answer.code == 0
    assert answer.out.splitlines() == [
        "wrote pictures/p000-minimax-s1-film.gif",
        f"no latent views: {finished}: p000-minimax-s0 was trained without recording.keep_weights",
    ]
    assert set(pictures(workplace / "pictures")) == {"p000-minimax-s1-film.gif"}


def test_a_run_without_visits_says_so(keeping: Path, tmp_path: Path) -> None:
    folder = tmp_path / "small"
    shutil.copytree(keeping, folder)
    Store.open(folder).picture(RUN).unlink()
    first, _ = show(folder, RUN, tmp_path / "out", DataPlace())
    assert first == f"no film: no pictures were kept of {RUN}, which stopped before its first visit"


def test_points_have_a_film_and_no_view(tmp_path: Path) -> None:
    folder = tmp_path / "points"
    assert run_small(small_spec(*KEEPING, "dataset=ring"), folder)
    assert not list(folder.rglob("latent"))
    film, views = show(folder, RUN, tmp_path, DataPlace())
    assert film.startswith("wrote ")
    assert views.startswith("no latent views: points have no latent view: ")


@pytest.mark.parametrize("asked", ["p000-hinge-s9", "../x", ""])
def test_an_unknown_run_is_one_line(stability: Command, workplace: Path, keeping: Path, asked: str) -> None:
    answer = stability("show", keeping, asked)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        f"error: {keeping}: no run {asked!r}; `stability status {keeping} --runs` lists them\n"
    )
    assert not (workplace / "reports").exists()


def test_an_unfinished_run_is_one_line(stability: Command, workplace: Path) -> None:
    folder = workplace / "r"
    assert not run_small(small_spec(*KEEPING), folder, stop=StopAfter(1))
    answer = stability("show", folder, RUN)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"error: {folder}: {RUN} has not finished yet\n"


def test_an_unwritable_place_is_one_line(keeping: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(encode_picture(Image.new("L", (1, 1))))
    with pytest.raises(StabilityError, match="file/x: Not a directory"):
        list(show(keeping, RUN, tmp_path / "file" / "x", DataPlace()))

"""What `stability show` writes: a run's film, and the latent views of its trial.

Importing it needs no torch; drawing latent views does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stability.errors import StabilityError
from stability.page_kit.pictures import encode_film, film_frames, latent_picture
from stability.spec import Run, StudySpec
from stability.spec.loader import parse_study
from stability.store import LatentView, Store, read_filmstrip
from stability.store.files import os_errors_as_stability, replace_file

FILM_IMAGE, VIEW_IMAGE = 96, 56
"""Pixels that an image of the film and one of a latent view should be high, at a whole multiple."""
FILM_COLUMNS = 8


@dataclass(frozen=True, slots=True)
class DataPlace:
    """Where a study's images come from, besides the study itself."""

    root: Path | None = None
    download: bool = False
    allow_code: bool = False
    """Whether networks of the user's own may be imported."""


def show(folder: Path, run_name: str, out: Path, place: DataPlace) -> Iterator[str]:
    """Write a run's film and its trial's latent views into `out`; yield a line for each, or why not.

    Raises StabilityError where the study or the run does not exist, the run has not finished, or a file
    cannot be written.
    """
    store = Store.open(folder)
    run = next((run for run in store.plan.runs if run.run == run_name), None)
    if run is None:
        raise StabilityError(f"{folder}: no run {run_name!r}; `stability status {folder} --runs` lists them")
    if run_name not in _finished_runs(store):
        raise StabilityError(f"{folder}: {run_name} has not finished yet")
    with os_errors_as_stability(out):
        out.mkdir(parents=True, exist_ok=True)
    yield _write_film(store, run, out)
    yield from _write_latent_views(store, run, out, place)


def _finished_runs(store: Store) -> set[str]:
    finished = store.finished()
    return {name for cohort in store.plan.cohorts if cohort.id in finished for name in cohort.runs}


def _write_film(store: Store, run: Run, out: Path) -> str:
    path = store.picture(run.run)
    if not path.is_file():
        return f"no film: no pictures were kept of {run.run}, which stopped before its first visit"
    film = read_filmstrip(path)
    height = film.images.shape[2]
    places = range(len(film.steps))
    frames = film_frames(film, places, wide=FILM_COLUMNS, scale=max(1, round(FILM_IMAGE / height)))
    target = out / f"{run.run}-film.gif"
    replace_file(target, encode_film(frames, "GIF"))
    return f"wrote {target}"


def _write_latent_views(store: Store, run: Run, out: Path, place: DataPlace) -> Iterator[str]:
    finished = _finished_runs(store)
    alike = [other for other in store.plan.runs if other.trial == run.trial]
    done = [other for other in alike if other.run in finished]
    spec = parse_study(store.study_yaml, source=str(store.folder / "study.yaml"))
    try:
        rows = _views(store, spec, done, place)
    except StabilityError as error:
        yield f"no latent views: {error}"
        return
    target = out / f"{run.trial}-latent.png"
    height = rows[0][0][1].images.shape[2]
    title = f"{spec.name}, {run.trial}: latent space after training"
    replace_file(target, latent_picture(rows, title=title, scale=max(1, round(VIEW_IMAGE / height))))
    yield f"wrote {target}"
    if missing := [other.run for other in alike if other.run not in finished]:
        yield f"not in it, for they have not finished yet: {', '.join(missing)}"


def _views(
    store: Store, spec: StudySpec, runs: list[Run], place: DataPlace
) -> list[list[tuple[str, LatentView]]]:
    """For each kind of view that the trial has: every run's name and view."""
    weights = {run.run: store.weights(run.run) for run in runs}  # first: without them no data is needed
    import torch

    from stability.gan.data.datasets import load_dataset
    from stability.gan.training.latent import view_kinds
    from stability.runner.compatibility import check_code_allowed
    from stability.runner.views import make_view

    check_code_allowed(spec, allowed=place.allow_code)
    dataset = load_dataset(
        spec.dataset,
        device=torch.device("cpu"),
        data_root=place.root,
        download=place.download,
        image_size=spec.image_size,
    )
    return [
        [(run.run, make_view(kind, run, dataset, weights[run.run])) for run in runs]
        for kind in view_kinds(runs[0].config)
    ]

"""A study's results made small enough to publish: all tables, thinner films, no weights and states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from stability.store.filmstrips import FilmStrip
from stability.store.folder import CHECKPOINTS, LOCK
from stability.store.store import Store

GREYS = 16
"""Levels of each channel that a packed film keeps: with 16 images a visit it takes a quarter of the bytes."""


def pack(source: Store, out: Path, *, images: int, greys: int = GREYS) -> Iterator[str]:
    """Write a study's finished cohorts into a new results folder, and yield each one's name as it is there.

    What only training needs is not left there.
    Raises `StabilityError`: a cohort is damaged, or the folder cannot be written or holds something else.
    """
    plan, finished = source.plan, source.finished()
    made = Store.created(out, study_yaml=source.study_yaml, plan=plan, environment=source.environment)
    with made as packed:
        for cohort in (cohort.id for cohort in plan.cohorts if cohort.id in finished):
            data = source.read_cohort(cohort)
            films = {run: thinned(film, images, greys) for run, film in data.filmstrips.items()}
            packed.write_cohort(cohort, replace(data, filmstrips=films))
            yield cohort
    (out / CHECKPOINTS).rmdir()
    (out / LOCK).unlink()


def thinned(film: FilmStrip, images: int, greys: int) -> FilmStrip:
    """The first so many images of each visit, every channel rounded to so many even levels."""
    levels = np.round(film.images[:, :images] / 255 * (greys - 1))
    return FilmStrip(film.steps, np.round(levels * (255 / (greys - 1))).astype(np.uint8))

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_study import make_store, make_strip

from stability.errors import StabilityError
from stability.store import Store, read_filmstrip
from stability.store.pack import pack, thinned


def test_a_packed_study_has_the_same_tables_and_thinner_films(tmp_path: Path) -> None:
    store = make_store(tmp_path / "whole")
    assert set(pack(store, tmp_path / "packed", images=2, greys=4)) == store.finished()
    packed = Store.open(tmp_path / "packed")
    assert (packed.plan, packed.study_yaml, packed.finished()) == (
        store.plan,
        store.study_yaml,
        store.finished(),
    )
    names = {path.name for path in packed.folder.iterdir()}
    assert names == {"cohorts", "environment.json", "plan.json", "study.yaml"}
    for cohort in store.finished():
        for name in ("runs", "records", "evaluations", "events"):
            file = f"{name}.parquet"
            assert packed.read_cohort_file(cohort, file) == store.read_cohort_file(cohort, file)
        for run, whole in store.read_cohort(cohort).filmstrips.items():
            thin = read_filmstrip(packed.picture(run))
            assert thin.steps == whole.steps
            assert thin.images.shape[1] == 2
            assert set(np.unique(thin.images)) <= {0, 85, 170, 255}
            off = np.abs(thin.images.astype(int) - whole.images[:, :2])
            assert off.max() <= 255 / 3 / 2 + 1


def test_all_greys_and_images_are_the_film_itself() -> None:
    film = make_strip()
    np.testing.assert_array_equal(thinned(film, 100, 256).images, film.images)


def test_nothing_is_packed_over_something_else(tmp_path: Path) -> None:
    store = make_store(tmp_path / "whole")
    with pytest.raises(StabilityError, match="already holds a study"):
        list(pack(store, store.folder, images=2))

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from made_study import make_store

import stability
from stability.errors import StabilityError
from stability.reading.atlas import atlas_for, read_atlas, write_atlas
from stability.reading.frames import load


def test_runs_come_back_as_they_were(tmp_path: Path) -> None:
    store = make_store(tmp_path / "r")
    study = load(store.folder)
    write_atlas(study, store.study_yaml, tmp_path / "atlas.parquet")
    atlas = read_atlas((tmp_path / "atlas.parquet").read_bytes())
    pd.testing.assert_frame_equal(atlas.runs, study.runs)
    assert (atlas.name, atlas.spec) == (study.name, study.spec)


@pytest.mark.parametrize(
    ("setting", "architecture"),
    [({}, "mlp"), ({"architecture": "dcgan"}, "dcgan"), ({"architecture": "maxout"}, "mlp")],
)
def test_a_setting_has_the_atlas_of_its_architecture(setting: dict[str, str], architecture: str) -> None:
    atlas = atlas_for(setting)
    assert atlas.spec.fixed["architecture"] == architecture
    assert set(atlas.runs["architecture"]) == {architecture}
    assert bool(stability.advise(None, {"lr": 3e-4, **setting}).reason) == ("maxout" in setting.values())


def test_the_shipped_one_answers() -> None:
    found = stability.advise({"loss": "wgan-gp", "lr": 3e-4})
    assert found.n_points >= 32
    assert 0 <= found.ci_low <= found.chance <= 1
    assert str(found).splitlines()[:2] == ["loss wgan-gp, lr 3e-4", f"from     {found.source}"]
    assert "look" not in str(found), "its runs have no pictures to show"
    assert str(stability.advise(None, {"loss": "wgan-gp", "lr": 3e-4})) == str(found)
    outside = stability.advise({"lr": 10.0})
    assert outside.reason
    with pytest.raises(StabilityError, match="unknown parameter"):
        stability.advise({"speed": 1})
    with pytest.raises(TypeError, match="not two settings"):
        stability.advise({"loss": "hinge"}, {"lr": 1e-3})

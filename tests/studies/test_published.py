"""What is published is what the stored results say."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pandas as pd
import pytest

from stability.reading.atlas import atlas_for
from stability.reading.frames import load
from stability.runner.repair import check_study

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results"
PUBLISHED = {"losses": "mlp", "losses-dcgan": "dcgan"}


@pytest.mark.parametrize(
    ("page", "study"),
    [("README.md", "losses"), ("reports/FINDINGS.md", "losses"), ("reports/FINDINGS.md", "losses-dcgan")],
)
def test_a_page_s_table_is_that_of_the_results(page: str, study: str) -> None:
    spec = importlib.util.spec_from_file_location("headline", ROOT / "studies" / "headline.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = (ROOT / page).read_text(encoding="utf-8")
    (table,) = re.findall(
        rf"<!-- python studies/headline.py results/{study} -->\n(.*?)\n<!-- end -->", text, re.DOTALL
    )
    assert table == module.headline(RESULTS / study)


@pytest.mark.parametrize(("study", "architecture"), PUBLISHED.items())
def test_the_atlas_is_that_of_the_results(study: str, architecture: str) -> None:
    atlas = atlas_for({"architecture": architecture})
    pd.testing.assert_frame_equal(atlas.runs, load(RESULTS / study).runs)


@pytest.mark.slow
@pytest.mark.parametrize("study", PUBLISHED)
def test_nothing_is_wrong_with_the_results(study: str) -> None:
    assert check_study(RESULTS / study).faults == ()


def test_times_are_told_once_and_of_every_study() -> None:
    studies = ROOT / "studies"
    told = json.loads((studies / "times.json").read_text(encoding="utf-8"))["studies"]
    paths = [*studies.glob("*.yaml"), *studies.glob("alpha/*.yaml")]
    assert told.keys() == {path.relative_to(studies).with_suffix("").as_posix() for path in paths}
    comments = [
        line for path in paths for line in path.read_text(encoding="utf-8").splitlines() if line[:1] == "#"
    ]
    assert [line for line in comments if re.search(r"\b(minutes?|hours?) on\b", line)] == []
    minutes = told["quickstart"]["seconds"] / 60
    assert "about five minutes" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert 4 <= minutes < 6

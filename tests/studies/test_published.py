"""What is published is what the stored results say."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pandas as pd
import pytest

from stability.page_kit.estimate import Estimate, rows_of
from stability.page_kit.words import percent
from stability.questions.two_studies.estimate import versus
from stability.reading.atlas import atlas_for
from stability.reading.frames import load
from stability.reading.study import Study
from stability.records import SUCCESSES
from stability.runner.repair import check_study

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results"
ATLASES = {"losses": "mlp", "losses-dcgan": "dcgan"}
PUBLISHED = (*ATLASES, "transfer", "hacks")
FINDINGS = "reports/FINDINGS.md"


@pytest.mark.parametrize(
    ("page", "study"),
    [("README.md", "losses"), *((FINDINGS, study) for study in PUBLISHED)],
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


@pytest.mark.parametrize(("study", "architecture"), ATLASES.items())
def test_the_atlas_is_that_of_the_results(study: str, architecture: str) -> None:
    atlas = atlas_for({"architecture": architecture})
    pd.testing.assert_frame_equal(atlas.runs, load(RESULTS / study).runs)


def test_what_is_told_of_carrying_over_is_what_the_two_studies_say() -> None:
    both = versus(*(Study(load(RESULTS / name)) for name in ("losses-dcgan", "transfer")))
    found = {row["what"]: Estimate.of(row) for row in rows_of(both.transfer)}
    rank, kappa = (
        f"{found[what].text()}".replace("[", "(").replace("]", ")").replace(", ", " to ")
        for what in ("rank correlation of the points", "kappa of the outcomes")
    )
    same = found["runs that end the same way"]
    text = (ROOT / FINDINGS).read_text(encoding="utf-8")
    assert f"correlation {rank}" in text
    assert f"in {percent(same.value)} {same.percent_between} of the pairs (kappa {kappa})" in text


@pytest.mark.slow
@pytest.mark.parametrize("study", PUBLISHED)
def test_nothing_is_wrong_with_the_results(study: str) -> None:
    assert check_study(RESULTS / study).faults == ()


@pytest.mark.parametrize(
    ("study", "judges", "labels", "success"),
    [
        ("losses", "JK", "today's rules, the same 60 of `losses` (none differs)", "60 of `losses`"),
        (
            "losses-dcgan",
            "LM",
            "today's rules, the 60 of `losses-dcgan` before, on which they were changed",
            "the 60 of `losses-dcgan` before, on which the bar was set",
        ),
        (
            "losses-dcgan",
            "NO",
            "**today's rules, 60 others of it, when first looked at**",
            "60 others of `losses-dcgan`",
        ),
        (
            "transfer",
            "PQ",
            "**today's rules, 60 of `transfer` (clothes), when first looked at**",
            "60 of `transfer` (clothes)",
        ),
    ],
)
def test_what_is_told_of_labels_and_judges_is_what_they_say(
    study: str, judges: str, labels: str, success: str
) -> None:
    marks = pd.read_csv(ROOT / "studies" / "judged" / "marks.csv")
    given = marks[marks["study"] == study].pivot_table("label", "run", "judge", aggfunc="first")[list(judges)]
    by_eye = given.dropna()
    runs = load(RESULTS / study).runs.set_index("run")
    by_rule = runs.loc[by_eye.index, "outcome"]
    assert len(by_eye) == 60
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (ROOT / "docs" / "measured.md").read_text(encoding="utf-8").splitlines()
    ]

    def shares(eye: pd.DataFrame, rule: pd.Series) -> str:
        return ", ".join(f"{(eye[judge] == rule).mean():.2f}".removeprefix("0") for judge in judges)

    (told,) = [row for row in rows if row[0] == labels]
    assert told[2] == shares(by_eye, by_rule)
    (told,) = [row for row in rows if row[0] == success]
    seen, ruled = by_eye.isin(SUCCESSES), by_rule.isin(SUCCESSES)
    assert told[1] == shares(seen, ruled)
    assert told[3] == f"{ruled.sum()}; {', '.join(str(seen[judge].sum()) for judge in judges)}"


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

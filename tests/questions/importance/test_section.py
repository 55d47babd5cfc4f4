from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from planted_runs import planted_runs, planted_spec, study_of

from stability.questions.importance.estimate import DUMMY, Importance, ImportanceRules, importance
from stability.questions.importance.section import importance_blocks
from stability.reading.study import Study
from stability.statistics.rates import SUCCESS

SPEC = planted_spec(24)


def made() -> pd.DataFrame:
    """beta1 alone decides whether a run succeeds."""
    runs = planted_runs(24)
    return runs.assign(outcome=np.where(runs["beta1"] < 0.5, "nearly-stable", "collapsed"))


@pytest.fixture(scope="module")
def study() -> Study:
    return study_of(SPEC, made())


def measured(study: Study) -> Importance:
    rules = ImportanceRules(trees=30)
    return importance(study.runs, study.frames.spec, rng=np.random.default_rng(0), rules=rules)


def test_the_finding_names_what_matters_and_only_that(study: Study) -> None:
    found = measured(study)
    (block,) = importance_blocks(study, found)
    rows = found.parameters[(found.parameters["target"] == SUCCESS) & ~found.parameters["dummy"]]
    clear = rows.loc[rows["ci_low"] > 0, "parameter"].tolist()
    assert clear[0] == "beta1"
    first = block.finding.split(". ")[0]
    matter, rest = first.split("matter", 1)
    assert all(name in matter for name in clear)
    assert all(name in rest for name in rows.loc[rows["ci_low"] <= 0, "parameter"])
    assert block.figure is not None
    assert DUMMY in block.note


def test_every_parameter_has_a_row_and_both_targets_a_score(study: Study) -> None:
    (block,) = importance_blocks(study, measured(study))
    names = [row[0].text for row in block.tables[0].rows]
    assert set(names) == {*study.varied, DUMMY}
    assert [row[0].text for row in block.tables[-1].rows] == [
        "the model",
        "a constant",
        "the constant − the model",
    ]
    for table in block.tables:
        assert {len(row) for row in table.rows} == {len(table.heads)}


def test_what_is_not_estimable_says_why_and_draws_nothing(study: Study) -> None:
    runs = study.frames.runs.assign(outcome="diverged", fid_ratio=np.nan)
    poor = study_of(SPEC, runs)
    (block,) = importance_blocks(poor, measured(poor))
    assert block.figure is None
    assert "not estimable: no run succeeded." in block.finding
    assert "not estimable: no run that was trained to the end has a finite FID." in block.finding
    assert len(block.tables) == 1


def test_a_dummy_that_seems_to_matter_is_a_warning(study: Study) -> None:
    found = measured(study)
    rows = found.parameters.copy()
    rows.loc[rows["dummy"], "ci_low"] = 0.01
    (block,) = importance_blocks(study, dataclasses.replace(found, parameters=rows))
    assert "Take this with care" in block.finding


def test_runs_without_a_fid_are_mentioned(study: Study) -> None:
    runs = study.frames.runs.copy()
    runs.loc[runs.index[:3], "fid_ratio"] = np.nan
    some = study_of(SPEC, runs)
    (block,) = importance_blocks(some, measured(some))
    assert "3 runs trained to the end without a finite FID are not in it." in block.note
    assert "diverged" not in block.note


def test_runs_that_were_not_trained_to_the_end_are_mentioned(study: Study) -> None:
    runs = study.frames.runs.copy()
    runs.loc[runs.index[:2], "outcome"] = "diverged"
    runs.loc[runs.index[2:5], "stopped"] = True
    some = study_of(SPEC, runs)
    (block,) = importance_blocks(some, measured(some))
    assert "5 runs that diverged or were stopped early are not in it." in block.note
    assert "without a finite FID" not in block.note


def test_a_search_has_no_importance(study: Study) -> None:
    search = study_of(SPEC, study.frames.runs.assign(adaptive=True))
    assert importance_blocks(search, measured(search)) == []

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from many_runs import LOSSES, make_many

from stability.questions.all import Estimates, estimate
from stability.questions.autopsy.estimate import AUTOPSIED
from stability.questions.comparison.estimate import COMPARED
from stability.reading.frames import StudyFrames, load
from stability.reading.study import Study
from stability.statistics.rates import ADAPTIVE, ONE_POINT, rate

ESTIMATE = ("estimate", "ci_low", "ci_high", "n_points", "n_runs", "reason")


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> StudyFrames:
    return load(make_many(tmp_path_factory.mktemp("estimates") / "many", 40, 1).folder)


@pytest.fixture(scope="module")
def estimates(frames: StudyFrames) -> Estimates:
    return estimate(Study(frames))


def with_runs(frames: StudyFrames, runs: pd.DataFrame) -> StudyFrames:
    """The study as it was when only these runs had finished."""
    kept = {name: getattr(frames, name) for name in ("evaluations", "events")}
    own = {name: frame[frame["run"].isin(runs["run"])] for name, frame in kept.items()}
    return dataclasses.replace(frames, runs=runs, **own)


def search(frames: StudyFrames) -> StudyFrames:
    design = frames.spec.design.model_copy(update={"sampler": "tpe"})
    spec = frames.spec.model_copy(update={"design": design})
    return dataclasses.replace(frames, spec=spec, runs=frames.runs.assign(adaptive=True))


def test_every_table_is_tidy(estimates: Estimates) -> None:
    tables = estimates.tables()
    for name, table in tables.items():
        assert re.fullmatch(r"[a-z0-9_]+", name), name
        assert isinstance(table, pd.DataFrame), name
        assert table.columns.is_unique, name
        assert all(isinstance(column, str) for column in table.columns), name
        assert table.index.nlevels == 1, name
    assert len({id(table) for table in tables.values()}) == len(tables)


def test_every_finding_has_its_tables(estimates: Estimates) -> None:
    tables = estimates.tables()
    found = {"costs", "subboxes", "budget", "boxes_boxes", "survival_curves", "incidence_ends", "warning_auc"}
    found |= {"counts_by_loss", "rates_by_loss", "counts_by_batchnorm", "rates_by_batchnorm"}
    found |= {f"comparisons_{event}_pairs" for event in COMPARED}
    found |= {f"autopsies_{kind}_first" for kind in AUTOPSIED}
    assert found <= set(tables)
    assert all(len(tables[name]) for name in found)
    assert estimates.findings is not None
    for finding in estimates.findings:
        assert any(name == finding or name.startswith(f"{finding}_") for name in tables), finding


def test_every_estimate_says_what_it_rests_on_or_why_there_is_none(estimates: Estimates) -> None:
    n_tables = 0
    for name, table in estimates.tables().items():
        if "estimate" not in table:
            continue
        n_tables += 1
        assert set(ESTIMATE) <= set(table), name
        unknown = table["estimate"].isna() | table["ci_low"].isna() | table["ci_high"].isna()
        assert (table.loc[unknown, "reason"].str.len() > 0).all(), name
        known = table[~unknown].astype({key: float for key in ESTIMATE[:3]})
        assert (known["ci_low"] <= known["estimate"] + 1e-9).all(), name
        assert (known["estimate"] <= known["ci_high"] + 1e-9).all(), name
        assert (known["n_runs"] >= known["n_points"]).all(), name
    assert n_tables > 20


def test_rates_are_those_of_the_study_s_runs(estimates: Estimates, frames: StudyFrames) -> None:
    rates = estimates.rates["loss"].set_index(["loss", "event"])
    assert set(estimates.rates["loss"]["loss"]) == set(LOSSES)
    for loss in LOSSES:
        own = rate(frames.runs[frames.runs["loss"] == loss], "success").iloc[0]
        assert rates.loc[(loss, "success"), list(ESTIMATE)].tolist() == own[list(ESTIMATE)].tolist()
    counts = estimates.counts["loss"]
    assert counts["runs"].sum() == len(frames.runs)
    assert estimates.factor == estimates.verdict.factor == "loss"


def test_the_same_study_gives_the_same_numbers(estimates: Estimates, frames: StudyFrames) -> None:
    np.random.seed(7)  # noqa: NPY002 (the global stream, which must neither matter nor move)
    first, second = estimates.tables(), estimate(Study(frames)).tables()
    assert np.random.get_state()[2] == np.random.RandomState(7).get_state()[2]  # noqa: NPY002
    assert list(first) == list(second)
    for name, table in first.items():
        pd.testing.assert_frame_equal(table, second[name], obj=name, check_exact=True)


def test_a_search_has_counts_and_no_estimate(frames: StudyFrames) -> None:
    found = estimate(Study(search(frames)))
    assert (dict(found.rates), found.findings) == ({}, None)
    assert set(found.tables()) == {"counts_by_loss", "counts_by_batchnorm"}
    assert found.counts["loss"]["runs"].sum() == len(frames.runs)
    assert not found.verdict.estimable
    assert set(found.verdict.success["reason"]) == {ADAPTIVE}


def test_a_study_without_runs_has_empty_counts(frames: StudyFrames) -> None:
    found = estimate(Study(with_runs(frames, frames.runs.head(0))))
    assert (dict(found.rates), found.findings) == ({}, None)
    for factor in ("loss", "batchnorm"):
        counts = found.tables()[f"counts_by_{factor}"]
        assert (list(counts), len(counts)) == ([factor, "outcome", "runs"], 0)
    assert not found.verdict.estimable


def test_one_point_gives_shares_without_intervals(frames: StudyFrames) -> None:
    found = estimate(Study(with_runs(frames, frames.runs[frames.runs["point"] == 0])))
    rates = found.rates["loss"]
    assert rates["estimate"].notna().all()
    assert rates[["ci_low", "ci_high"]].isna().all(axis=None)
    assert set(rates["reason"]) == {ONE_POINT}
    for name, table in found.tables().items():
        if {"estimate", "reason"} <= set(table):
            assert (table.loc[table["estimate"].isna(), "reason"].str.len() > 0).all(), name

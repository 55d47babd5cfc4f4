from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability.reading.frames import StudyFrames
from stability.reading.study import Study
from stability.report.run_columns import Column, rounded, run_columns, shown_frame
from stability.spec import Choice, Design

MakeStudy = Callable[..., StudyFrames]


@pytest.fixture
def study(make_study: MakeStudy) -> Study:
    return Study(make_study())


def named(columns: tuple[Column, ...]) -> dict[str, Column]:
    return {column.name: column for column in columns}


def test_every_column_has_a_value_a_run(study: Study) -> None:
    columns = run_columns(study)
    assert {len(column.values) for column in columns} == {len(study.runs)}
    assert len({column.name for column in columns}) == len(columns)
    assert named(columns)["run"].values == tuple(study.runs["run"])


def test_axes_are_what_varied_then_fid_and_outcome(study: Study) -> None:
    columns = run_columns(study)
    axes = {column.name for column in columns if column.axis}
    assert axes == {*study.varied, "fid_excess", "outcome"}
    log = {column.name for column in columns if column.axis and column.log}
    assert log == {"lr", "lr_ratio"}


def test_levels_stand_in_the_study_s_order_and_outcomes_in_the_legend_s(study: Study) -> None:
    columns = named(run_columns(study))
    assert columns["loss"].levels == ("minimax", "non-saturating", "hinge")
    assert columns["outcome"].levels == study.outcomes
    values = columns["loss"].as_json()["values"]
    assert [columns["loss"].levels[place] for place in values] == study.runs["loss"].tolist()


def test_what_a_variant_set_is_shown_as_it_was(make_study: MakeStudy) -> None:
    frames = make_study()
    variants: dict[str, dict[str, object]] = {"plain": {}, "fast": {"lr": 0.5}}
    which = np.resize(["plain", "fast"], len(frames.runs))
    runs = frames.runs.assign(variant=which, lr=frames.runs["lr"].mask(which == "fast", 0.5))
    spec = frames.spec.model_copy(update={"variants": variants})
    study = Study(dataclasses.replace(frames, spec=spec, runs=runs))
    assert study.runs["lr"].isna().any()
    columns = run_columns(study)
    assert set(np.array(named(columns)["lr"].values)[which == "fast"]) == {0.5}
    assert shown_frame(study, columns)["lr"].tolist() == runs["lr"].tolist()


def test_a_seed_keeps_all_its_digits(make_study: MakeStudy) -> None:
    frames = make_study()
    frames.runs["seed"] = np.uint64(2**63 + 1)
    seeds = named(run_columns(Study(frames)))["seed"]
    assert set(seeds.values) == {"9223372036854775809"}
    assert not seeds.shown


def test_missing_and_infinite_numbers_are_kept_apart(make_study: MakeStudy) -> None:
    frames = make_study()
    frames.runs.loc[0, "fid_excess"] = np.inf
    frames.runs.loc[1, "fid_excess"] = np.nan
    column = named(run_columns(Study(frames)))["fid_excess"]
    assert column.values[:2] == ("inf", None)
    json.dumps(column.as_json(), allow_nan=False)


def test_the_file_holds_what_the_table_shows(study: Study) -> None:
    columns = run_columns(study)
    frame = shown_frame(study, columns)
    assert list(frame) == [column.name for column in columns if column.shown]
    pd.testing.assert_series_equal(frame["lr"], study.runs["lr"])
    assert "seed" not in frame


def test_a_study_in_which_nothing_varied_has_columns_too(make_study: MakeStudy) -> None:
    frames = make_study(space={"loss": Choice(values=("hinge",))}, design=Design(points=2, cross=()))
    axes = [column.name for column in run_columns(Study(frames)) if column.axis]
    assert axes == ["outcome", "fid_excess"]


@given(st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False))
def test_rounding_keeps_six_digits(value: float) -> None:
    short = rounded(value, 6)
    assert isinstance(short, float | int)
    assert short == pytest.approx(value, rel=5.01e-6, abs=0)


@pytest.mark.parametrize(("value", "kept"), [(np.nan, None), (np.inf, "inf"), (-np.inf, "-inf"), (7.0, 7)])
def test_what_is_no_finite_fraction(value: float, kept: object) -> None:
    assert rounded(value, 6) == kept

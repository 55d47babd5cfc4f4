from __future__ import annotations

import base64
import dataclasses
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stability.reading.frames import StudyFrames
from stability.reading.study import Study
from stability.reading.typical_runs import typical_runs
from stability.report.run_details import EVEN_POINTS, chosen_runs, run_details, thinned
from stability.spec import Design
from stability.store import read_filmstrip
from stability.store.sheets import as_sheet

MakeStudy = Callable[..., StudyFrames]


@pytest.fixture
def study(make_study: MakeStudy) -> Study:
    return Study(make_study(design=Design(points=8, seeds=2, cross=("loss",))))


def fresh() -> np.random.Generator:
    return np.random.default_rng(1)


def test_every_outcome_event_and_level_is_among_the_first(study: Study) -> None:
    chosen = chosen_runs(study, rng=fresh())
    assert sorted(chosen) == sorted(study.runs["run"])
    n_groups = 1 + study.frames.events["kind"].nunique() + sum(study.runs[f].nunique() for f in study.factors)
    first = chosen[: n_groups * len(study.outcomes)]
    rows = study.runs.set_index("run").loc[first]
    assert set(rows["outcome"]) == set(study.outcomes)
    for factor in study.factors:
        assert set(rows[factor]) == set(study.runs[factor])
    assert set(study.frames.events["kind"]) <= set(
        study.frames.events.loc[study.frames.events["run"].isin(first), "kind"]
    )


def test_the_choice_is_the_generator_s(study: Study) -> None:
    assert chosen_runs(study, rng=fresh()) == chosen_runs(study, rng=fresh())
    assert chosen_runs(study, rng=fresh()) != chosen_runs(study, rng=np.random.default_rng(2))


def test_details_keep_to_their_bytes_and_the_first_runs_have_them(study: Study) -> None:
    every = run_details(study, rng=fresh())
    assert set(every) == set(study.runs["run"])
    size = len(json.dumps(every, separators=(",", ":")))
    some = run_details(study, rng=fresh(), most_bytes=size // 3)
    assert size // 5 < len(json.dumps(some, separators=(",", ":"))) <= size // 3
    assert list(some) == list(every)[: len(some)]
    assert len(run_details(study, rng=fresh(), most_runs=5)) == 5


def test_curves_and_visits_are_the_run_s_own(study: Study) -> None:
    run = str(study.runs.loc[study.runs["outcome"] == "stable", "run"].iloc[0])
    detail = run_details(study, rng=fresh())[run]
    records = study.frames.records_of([run]).set_index("step")
    curves = detail["curves"]
    assert len(curves["step"]) <= 60
    np.testing.assert_allclose(
        curves["loss_d"], records.loc[curves["step"], "loss_d"].astype(float), rtol=6e-4
    )
    assert "real_probability" not in curves  # nothing is known of it
    visits = study.frames.evaluations[study.frames.evaluations["run"] == run]
    assert detail["visits"]["step"] == visits["step"].tolist()
    np.testing.assert_allclose(detail["visits"]["fid_excess"], visits["fid_excess"], rtol=6e-4)


def test_metrics_of_the_users_own_have_curves(study: Study) -> None:
    visits = study.frames.evaluations
    visits = visits.assign(own_sharpness=visits["step"] / 7)
    frames = dataclasses.replace(study.frames, evaluations=visits)
    own = dataclasses.replace(study, frames=frames)
    details = run_details(own, rng=fresh())
    run = next(run for run, detail in details.items() if detail["visits"])
    np.testing.assert_allclose(
        details[run]["visits"]["own_sharpness"], visits.loc[visits["run"] == run, "step"] / 7, rtol=6e-4
    )


def test_a_divergence_is_a_gap_and_an_event(study: Study) -> None:
    run = str(study.runs.loc[study.runs["outcome"] == "diverged", "run"].iloc[0])
    detail = run_details(study, rng=fresh())[run]
    at = detail["curves"]["step"].index(420)
    assert detail["curves"]["loss_d"][at] is None
    assert [(event["kind"], event["onset"]) for event in detail["events"]] == [("diverged", 412)]
    json.dumps(detail, allow_nan=False)


def sheet_of(film: dict[str, Any]) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(film["source"].partition(",")[2]))) as picture:
        return np.asarray(picture.convert("RGB"))[:, :, 0].astype(int)


@pytest.mark.parametrize("is_typical", [True, False])
def test_a_film_holds_what_was_drawn_to_half_a_shade(study: Study, *, is_typical: bool) -> None:
    typical = typical_runs(study.runs)["run"].tolist()
    run = typical[0] if is_typical else next(run for run in study.runs["run"] if run not in typical)
    film = run_details(study, rng=fresh())[run]["film"]
    strip = read_filmstrip(study.frames.folder / "cohorts" / "c0" / "filmstrips" / f"{run}.png")
    rows = [strip.steps.index(step) for step in film["steps"]]
    assert len(rows) == min(len(strip.steps), 16 if is_typical else 8)
    assert film["images"] == 8
    drawn = as_sheet(strip.images[rows])
    sheet = sheet_of(film)
    assert sheet.shape == drawn.shape == (len(rows) * film["height"], 8 * film["width"])
    assert np.abs(sheet - drawn).max() <= 255 / 15 / 2 + 0.5


def test_a_run_without_records_visits_or_pictures_has_details_that_say_so(make_study: MakeStudy) -> None:
    frames = make_study(design=Design(points=2, seeds=1, cross=()))
    for picture in frames.folder.rglob("*.png"):
        picture.unlink()
    run = str(frames.runs["run"].iloc[0])
    records, visits = frames.records, frames.evaluations
    less = dataclasses.replace(
        frames, source=records[records["run"] != run], evaluations=visits[visits["run"] != run]
    )
    detail = run_details(Study(less), rng=fresh())[run]
    assert (detail["curves"], detail["visits"], detail["film"]) == ({}, {}, None)


@given(st.lists(st.floats(width=32), min_size=1, max_size=400))
def test_thinning_keeps_ends_extremes_and_the_first_bad_value(values: list[float]) -> None:
    column = np.array(values)
    rows = thinned([column], len(column), EVEN_POINTS)
    assert len(rows) <= EVEN_POINTS + 3
    assert {0, len(column) - 1} <= set(rows.tolist())
    assert (np.diff(rows) > 0).all()
    finite = np.isfinite(column)
    if finite.any():
        assert column[rows][finite[rows]].max() == column[finite].max()
        assert column[rows][finite[rows]].min() == column[finite].min()
    if not finite.all():
        assert int(np.flatnonzero(~finite)[0]) in rows


@pytest.mark.parametrize(
    ("loss", "smoothing", "loss_d"),
    [("hinge", 0.0, 2.0), ("wgan-gp", 0.0, 0.0), ("minimax", 0.1, None), ("r3gan", 0.0, float(np.log(2)))],
)
def test_a_recipe_has_its_plain_loss_s_equilibrium_and_smoothing_none(
    make_study: MakeStudy, loss: str, smoothing: float, loss_d: float | None
) -> None:
    frames = make_study(design=Design(points=1, seeds=1, cross=()))
    frames.runs["loss"], frames.runs["label_smoothing"] = loss, smoothing
    found = next(iter(run_details(Study(frames), rng=fresh()).values()))["equilibrium"]
    assert (found and found["loss_d"]) == loss_d

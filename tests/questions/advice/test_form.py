from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from stability.questions.advice import form as module
from stability.questions.advice.estimate import advise
from stability.questions.advice.form import advice_form
from stability.reading.frames import StudyFrames
from stability.reading.ordering import in_design_order
from stability.reading.study import Study
from stability.spec import Choice, Design, Range
from stability.statistics.rates import ADAPTIVE

MakeStudy = Callable[..., StudyFrames]
POINTS = Design(points=12, seeds=2, cross=("loss",))


def test_a_form_asks_for_all_that_varied_and_has_a_fit_for_every_loss(make_study: MakeStudy) -> None:
    study = Study(make_study(design=POINTS))
    found = advice_form(study)
    assert found is not None
    assert {field["name"] for field in found["fields"]} == set(study.varied)
    assert found["picks"] == ["loss"]
    assert {one["levels"]["loss"] for one in found["fits"]} == set(study.runs["loss"])
    for one in found["fits"]:
        runs = study.runs.iloc[one["rows"]]
        assert set(runs["loss"]) == {one["levels"]["loss"]}
        assert runs["point"].is_unique
        assert (one["n_points"], one["n_runs"]) == (12, 24)
        if "shares" in one:
            assert len(one["lengths"]) == 3 + len(one["columns"])
            assert np.all((np.array(one["shares"]) > 0) & (np.array(one["shares"]) < 1))
    json.dumps(found, allow_nan=False)


def test_of_equally_near_runs_the_first_of_the_design_comes_first(make_study: MakeStudy) -> None:
    frames = make_study(design=POINTS)
    study = Study(replace(frames, runs=frames.runs.sample(frac=1, random_state=0, ignore_index=True)))
    found = advice_form(study)
    assert found is not None
    runs = study.runs.iloc[found["order"]]
    assert runs["run"].tolist() == in_design_order(study.runs, frames.spec)["run"].tolist()
    assert runs["point"].is_monotonic_increasing


def test_a_variant_that_sets_a_range_has_a_reason_and_is_near_to_nothing(make_study: MakeStudy) -> None:
    frames = make_study(design=POINTS)
    which = np.resize(["plain", "slow"], len(frames.runs))
    runs = frames.runs.assign(variant=which, lr=frames.runs["lr"].mask(which == "slow", 1e-5))
    variants: dict[str, dict[str, object]] = {"plain": {}, "slow": {"lr": 1e-5}}
    spec = frames.spec.model_copy(update={"variants": variants})
    study = Study(replace(frames, runs=runs, spec=spec))
    found = advice_form(study)
    assert found is not None
    slow = {one["reason"] for one in found["fits"] if one["levels"]["variant"] == "slow"}
    assert slow == {"the variant slow sets lr itself"}
    assert set(study.runs["variant"].iloc[found["order"]]) == {"plain"}
    said = advise(study.frames, {"variant": "slow", "lr_ratio": 1.0})
    assert "lr" not in said.averaged
    assert not any("lr none" in text for text in said.nearest["differs"])


def test_what_is_asked_first_is_inside_of_the_space(make_study: MakeStudy) -> None:
    space: dict[str, Range | Choice] = {
        "loss": Choice(values=("hinge", "minimax")),
        "lr": Range(low=1e-3, high=1e-2, log=True),
        "beta1": Range(low=0, high=0.9),
        "batchnorm": Choice(values=("none", "both")),
    }
    found = advice_form(Study(make_study(space=space, design=POINTS)))
    assert found is not None
    values = {field["name"]: field["value"] for field in found["fields"]}
    assert values["lr"] == pytest.approx(3.2e-3)
    assert values["beta1"] == 0.5
    assert values["batchnorm"] in ("none", "both")


def test_few_points_and_a_search_have_a_reason_and_no_fit(make_study: MakeStudy) -> None:
    few = advice_form(Study(make_study()))
    assert few is not None
    assert all("6 points are too few" in one["reason"] and "rows" not in one for one in few["fits"])
    frames = make_study(design=POINTS)
    search = advice_form(Study(replace(frames, runs=frames.runs.assign(adaptive=True))))
    assert search is not None
    assert {one["reason"] for one in search["fits"]} == {ADAPTIVE}


def test_no_form_where_nothing_was_drawn_or_too_much_was_crossed(
    make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses: dict[str, Range | Choice] = {"loss": Choice(values=("hinge", "minimax"))}
    assert advice_form(Study(make_study(space=losses, design=POINTS))) is None
    assert advice_form(Study(make_study(design=Design(points=1, seeds=2, cross=("loss",))))) is None
    monkeypatch.setattr(module, "MOST_FITS", 2)
    assert advice_form(Study(make_study(design=POINTS))) is None

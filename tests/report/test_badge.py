from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from stability.questions.all import Estimates
from stability.questions.outcomes.verdict import verdict
from stability.reading.frames import StudyFrames
from stability.reading.study import Study
from stability.report.badge import Badge, honesty
from stability.spec import Choice, Design, Range

MakeStudy = Callable[..., StudyFrames]


def badge(frames: StudyFrames, *, compared: bool = True, success: pd.DataFrame | None = None) -> Badge:
    """Of a study that was compared, with other success rates where they are given."""
    study = Study(frames)
    told = verdict(study.runs, study.main_factor, unit=study.unit)
    findings: dict[str, Any] | None = {} if compared else None
    if success is not None:
        told.success.loc[:, ["ci_low", "ci_high"]] = success.to_numpy()
    return honesty(Estimates(study, study.main_factor or "study", told, {}, {}, findings))


def within(half: float) -> pd.DataFrame:
    return pd.DataFrame({"ci_low": [0.5 - half] * 3, "ci_high": [0.5 + half] * 3})


@pytest.mark.parametrize(
    ("half", "text", "bears"),
    [
        (0.06, "rates to within ±6%", True),
        (0.25, "rates to within ±25%", True),
        (0.3, "demonstration: 6 points", False),
        (0.45, "demonstration: 6 points", False),
    ],
)
def test_the_badge_says_how_exact_the_rates_are(
    make_study: MakeStudy, half: float, text: str, *, bears: bool
) -> None:
    shown = badge(make_study(), success=within(half))
    assert (shown.text, shown.bears_rates) == (text, bears)
    said = " ".join(shown.sentences)
    assert ("For ±10% it takes about 140 points." in said) != bears  # (2.39 / .2) ** 2: 3 levels at once
    assert ("holds for all 3 levels of loss at once" in said) == (half < 0.4)
    assert "average over the space" in said


def test_a_search_has_no_rates(make_study: MakeStudy) -> None:
    shown = badge(make_study(design=Design(sampler="tpe", points=6, seeds=1)))
    assert (shown.text, shown.bears_rates) == ("a search: counts, no rates", False)
    assert "no rate is estimated" in " ".join(shown.sentences)


def test_seeds_of_one_setting_are_named(make_study: MakeStudy) -> None:
    shown = badge(make_study(design=Design(points=1, seeds=3, cross=("loss",))))
    assert shown.text == "demonstration: 3 seeds, not settings"
    assert any(re.fullmatch(r"For ±10% it takes about \d+ seeds\.", text) for text in shown.sentences)


def test_levels_that_share_no_seed_are_counted_each(make_study: MakeStudy) -> None:
    """As the headline beside it counts them."""
    space: dict[str, Range | Choice] = {"loss": Choice(values=("hinge", "minimax"))}
    frames = make_study(space=space, design=Design(points=2, seeds=2, cross=()))
    runs = frames.runs.assign(loss=["hinge", "hinge", "minimax", "minimax"])
    study = Study(replace(frames, runs=runs), as_unit="seed")
    told = verdict(study.runs, "loss", unit="seed")
    shown = honesty(Estimates(study, "loss", told, {}))
    assert shown.text == "demonstration: 2 seeds each, not settings"


def test_a_study_under_way_says_how_far_it_is(make_study: MakeStudy) -> None:
    assert badge(make_study(finished=9)).text.endswith(", 9 of 36 runs so far")
    assert badge(make_study(finished=0)).text == "nothing has finished yet"


def test_what_was_not_compared_bears_no_rates(make_study: MakeStudy) -> None:
    assert not badge(make_study(), compared=False, success=within(0.05)).bears_rates

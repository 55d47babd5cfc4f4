from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from stability.page_kit.palette import LOOKS, contrast
from stability.page_kit.words import percent, percent_between
from stability.questions.all import Estimates
from stability.questions.outcomes.bars import WIDE, outcome_bars
from stability.questions.outcomes.verdict import verdict
from stability.reading.frames import StudyFrames
from stability.reading.study import ALL, Study
from stability.spec import Choice, Design, Range
from stability.statistics.rates import RATED, SUCCESS, counts_by, rates_by

MakeStudy = Callable[..., StudyFrames]


def estimated(frames: StudyFrames) -> Estimates:
    """As far as the bars look."""
    study = Study(frames)
    factor = study.main_factor or ALL
    rates = {factor: rates_by(study.runs, factor, RATED)} if study.estimable else {}
    found = verdict(study.runs, study.main_factor)
    return Estimates(study, factor, found, {factor: counts_by(study.runs, factor)}, rates)


def test_a_bar_a_level_with_all_its_runs_in_the_order_of_the_legends(make_study: MakeStudy) -> None:
    estimates = estimated(make_study())
    bars = outcome_bars(estimates)
    runs, order = estimates.study.runs, list(LOOKS)
    assert [bar.level for bar in bars.bars] == list(estimates.study.order("loss"))
    for bar in bars.bars:
        counts = runs.loc[runs["loss"] == bar.level, "outcome"].value_counts()
        shown = {part.outcome: float(part.width.removesuffix("%")) for part in bar.segments}
        assert shown == pytest.approx({name: 100 * n / counts.sum() for name, n in counts.items()}, abs=0.01)
        assert list(shown) == sorted(shown, key=order.index)
        assert all(f"{n} {name}" in bar.spoken for name, n in counts.items())
        for part in bar.segments:
            assert part.colour == LOOKS[part.outcome].colour
            assert contrast(part.ink, part.colour) >= 4.5
            assert bool(part.text) == (shown[part.outcome] >= 100 * WIDE)


def test_rates_stand_beside_with_their_intervals(make_study: MakeStudy) -> None:
    estimates = estimated(make_study())
    bars, rates = outcome_bars(estimates), estimates.rates["loss"].set_index(["loss", "event"])
    assert bars.named == (SUCCESS, "collapsed", "saturated")
    for bar in bars.bars:
        for outcome, text in zip(bars.named, bar.rates, strict=True):
            row = rates.loc[bar.level, outcome]
            assert text == f"{percent(row['estimate'])} {percent_between(row['ci_low'], row['ci_high'])}"
    assert "95% interval" in bars.note


def test_a_search_has_counts_and_no_percentage_beside_them(make_study: MakeStudy) -> None:
    estimates = estimated(make_study(design=Design(sampler="tpe", points=6, seeds=1)))
    bars, runs = outcome_bars(estimates), estimates.study.runs
    assert all(re.fullmatch(r"\d+ of \d+", text) for bar in bars.bars for text in bar.rates)
    for bar in bars.bars:
        outcomes = runs.loc[runs["loss"] == bar.level, "outcome"]
        assert bar.rates[0] == f"{outcomes.isin(['stable', 'nearly-stable']).sum()} of {len(outcomes)}"
    assert {"stable", "nearly-stable"} <= set(runs["outcome"])
    assert bars.note == "Counts, not rates."


def test_without_a_factor_there_is_one_bar(make_study: MakeStudy) -> None:
    space: dict[str, Range | Choice] = {"lr": Range(low=1e-4, high=1e-2, log=True)}
    bars = outcome_bars(estimated(make_study(space=space, design=Design(points=4, seeds=1))))
    assert [bar.level for bar in bars.bars] == ["all runs"]
    assert bars.title == "How the runs ended"

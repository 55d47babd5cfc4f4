from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from stability.page_kit.estimate import cell_of
from stability.page_kit.tables import ENDS
from stability.page_kit.words import interval, percent, share
from stability.questions.outcomes.section import count_block, rate_block
from stability.reading.frames import StudyFrames
from stability.reading.study import ALL, Study
from stability.spec import Choice, Design, Range
from stability.statistics.rates import OUTCOMES, RATED, SUCCESS, counts_by, rates_by
from stability.vocabulary.metrics import EVENTS

MakeStudy = Callable[..., StudyFrames]


@pytest.mark.parametrize("factor", ["loss", "batchnorm", ALL])
def test_every_cell_is_the_frame_s(make_study: MakeStudy, factor: str) -> None:
    study = Study(make_study())
    rates = rates_by(study.runs, factor, RATED)
    block = rate_block(study, factor, rates)
    rows = {(row[factor], row["event"]): row for row in rates.to_dict("records")}
    for table, events in zip(block.tables[1:], ((SUCCESS, *OUTCOMES), EVENTS), strict=True):
        names = [head.text.replace(" ", "_") for head in table.heads[1:-2]]
        assert sorted(names) == sorted(events)
        assert [row[0].text for row in table.rows] == list(study.order(factor))
        for level, *cells, n_points, n_runs in table.rows:
            assert cells == [cell_of(rows[level.text, name]) for name in names]
            first = rows[level.text, names[0]]
            assert (n_points.text, n_runs.text) == (str(first["n_points"]), str(first["n_runs"]))
    assert block.data is rates


def test_outcomes_that_occurred_stand_first_and_events_are_folded(make_study: MakeStudy) -> None:
    study = Study(make_study(design=Design(points=2, seeds=2, cross=("loss",))))
    block = rate_block(study, "loss", rates_by(study.runs, "loss", RATED))
    heads = [head.text for head in block.tables[1].heads[1:-2]]
    assert heads[: 1 + len(study.outcomes)] == [SUCCESS, *study.outcomes]
    assert len(study.outcomes) < len(heads) - 1 == len(OUTCOMES)
    assert [bool(table.folded) for table in block.tables] == [False, True, True]


@pytest.mark.parametrize("factor", ["loss", ALL])
def test_the_shortest_table_has_every_run_in_one_column(make_study: MakeStudy, factor: str) -> None:
    study = Study(make_study(design=Design(points=16, seeds=1, cross=("loss",))))
    table = rate_block(study, factor, rates_by(study.runs, factor, RATED)).tables[0]
    heads = [head.text for head in table.heads]
    assert heads[1:-2] == list(ENDS.values())
    for level, *cells, _, n_runs in table.rows:
        counts = [round(float(cell.numbers[0]) * int(n_runs.text)) for cell in cells]
        outcomes = study.runs.loc[study.runs[factor] == level.text, "outcome"]
        assert sum(counts) == len(outcomes) == int(n_runs.text)
        by_head = dict(zip(heads[1:], counts, strict=False))
        assert by_head["mode collapse"] == outcomes.isin(["collapsed", "partial-collapse"]).sum()
        assert by_head["discriminator wins"] == outcomes.isin(["saturated", "dominated"]).sum()
        for cell in cells:
            low, high = (percent(float(end)) for end in cell.numbers[1:])
            assert cell.detail == f"({low.removesuffix('%')} to {high})"


def test_the_figure_speaks_the_success_rates(make_study: MakeStudy) -> None:
    study = Study(make_study())
    rates = rates_by(study.runs, "loss", RATED)
    figure = str(rate_block(study, "loss", rates).figure)
    label = re.findall(r'aria-label="([^"]*)"', figure)[0]
    for row in rates[rates["event"] == "success"].to_dict("records"):
        assert f"{row['loss']} {share(row['estimate'])} {interval(row['ci_low'], row['ci_high'])}" in label


def test_without_a_factor_nothing_is_compared(make_study: MakeStudy) -> None:
    space = {"lr": Range(low=1e-4, high=1e-2, log=True)}
    study = Study(make_study(space=space, design=Design(points=4, seeds=2)))
    block = rate_block(study, ALL, rates_by(study.runs, ALL, RATED))
    assert (block.key, block.question) == ("shares-by-study", "How do runs end?")
    assert [row[0].text for row in block.tables[0].rows] == ["all runs"]


def test_a_search_is_counted(make_study: MakeStudy) -> None:
    study = Study(make_study(design=Design(sampler="tpe", points=6, seeds=1, cross=("loss",))))
    block = count_block(study, "loss", counts_by(study.runs, "loss"))
    (table,) = block.tables
    assert block.figure is None
    assert "not rates" in table.caption
    assert [head.text for head in table.heads[1:-2]] == list(study.outcomes)
    for level, *counts, n_points, n_runs in table.rows:
        here = study.runs[study.runs["loss"] == level.text]
        expected = [int((here["outcome"] == outcome).sum()) for outcome in study.outcomes]
        assert [int(cell.text) for cell in counts] == expected
        assert (int(n_points.text), int(n_runs.text)) == (here["point"].nunique(), len(here))
        assert not any(cell.detail for cell in counts)


def test_a_parameter_s_name_becomes_a_safe_id(make_study: MakeStudy) -> None:
    study = Study(make_study(space={"n_dis": Choice(values=(1, 2))}, design=Design(points=4)))
    assert count_block(study, "n_dis", counts_by(study.runs, "n_dis")).key == "counts-by-n-dis"
    block = rate_block(study, "n_dis", rates_by(study.runs, "n_dis", RATED))
    assert block.key == "shares-by-n-dis"
    assert block.question == "How do runs end under each n_dis?"

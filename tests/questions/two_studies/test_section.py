from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stability.page_kit.blocks import Block
from stability.page_kit.estimate import cell_of
from stability.page_kit.words import NOTHING, interval, share, signed
from stability.questions.two_studies.estimate import (
    ALL_RUNS,
    SIDE_BY_SIDE,
    Versus,
    differing_settings,
    same_points,
    shared_levels,
    versus,
)
from stability.questions.two_studies.section import versus_cautions, versus_headline, versus_sections
from stability.reading.frames import StudyFrames
from stability.reading.study import Study
from stability.report.page import render_versus
from stability.spec import Choice, Design, Range, Recording, StudySpec, Thresholds, Training
from stability.statistics.rates import ONE_POINT
from stability.store import Plan
from stability.vocabulary.metrics import EVENTS

MakeStudy = Callable[..., StudyFrames]
LR = Range(low=1e-4, high=1e-2, log=True)
LOSSES = Choice(values=("hinge", "minimax"))


def study(
    name: str = "one",
    *,
    success: float = 0.5,
    seed: int = 0,
    points: int = 30,
    losses: tuple[str, ...] = ("hinge", "minimax"),
    shift: float = 0.0,
    folder: str = "",
    **changes: Any,
) -> Study:
    """A study whose runs succeed at a known rate, whatever the loss: nearly stable, all of them."""
    generator = np.random.default_rng(seed)
    space: dict[str, Range | Choice] = {"loss": Choice(values=losses), "lr": LR}
    given = {"name": name, "space": space, "design": Design(points=points, seeds=2)} | changes
    spec = StudySpec(**given)
    rows = [
        {"point": point, "replicate": replicate, "loss": loss, "lr": 1e-4 * (1 + point) + shift}
        | {"adaptive": False}
        | {"outcome": "nearly-stable" if generator.random() < success else "collapsed"}
        for point in range(points)
        for loss in losses
        for replicate in range(2)
    ]
    runs = pd.DataFrame(rows).assign(**dict.fromkeys(EVENTS, False))
    runs = runs.assign(run=[f"r{row}" for row in runs.index], collapse_ever=runs["outcome"] == "collapsed")
    empty, plan = pd.DataFrame(), Plan(1, 1, "cpu", 100, (), ())
    return Study(StudyFrames(name, spec, plan, runs, empty, empty, empty, Path(folder or name)))


@pytest.fixture(scope="module")
def apart() -> Versus:
    return versus(study(success=0.2), study("two", success=0.9, seed=1))


@pytest.fixture(scope="module")
def shown(apart: Versus) -> dict[str, Block]:
    return blocks(apart)


def blocks(result: Versus) -> dict[str, Block]:
    return {block.key: block for section in versus_sections(result) for block in section.blocks}


def all_runs(frame: pd.DataFrame, event: str = "success") -> pd.DataFrame:
    return frame[(frame["level"] == ALL_RUNS) & (frame["event"] == event)]


def test_the_headline_has_both_names_rates_and_the_signed_difference(apart: Versus) -> None:
    sentences = versus_headline(apart)
    for row in all_runs(apart.rates).to_dict("records"):
        shown = f"“{row['study']}” {share(row['estimate'])} {interval(row['ci_low'], row['ci_high'])}"
        assert f"{shown} of {row['n_runs']} runs" in sentences[0]
    row = all_runs(apart.differences).iloc[0]
    shares = [own.runs["outcome"].eq("nearly-stable").mean() for own in (apart.first, apart.second)]
    assert row["estimate"] == pytest.approx(shares[0] - shares[1])
    bounds = f"[{signed(row['ci_low'])}, {signed(row['ci_high'])}]"
    assert sentences[1] == f"That is a difference: {signed(row['estimate'])} {bounds}."
    assert ": −." in sentences[1]
    turned = versus_headline(versus(apart.second, apart.first))
    assert ": +." in turned[1]


def test_what_cannot_be_told_apart_is_no_difference() -> None:
    alike = versus(study(), study("two", seed=1))
    assert versus_headline(alike)[1].startswith("That is no difference that these points can tell apart: ")
    finding = blocks(alike)["differences-of-both"].finding
    assert finding == "Nowhere by more than these points can tell apart."


def test_every_difference_that_is_told_excludes_zero(apart: Versus, shown: dict[str, Block]) -> None:
    rows = apart.differences
    beyond = rows[(rows["ci_low"] > 0) | (rows["ci_high"] < 0)]
    assert 0 < len(beyond) < len(rows)
    finding = shown["differences-of-both"].finding
    for row in beyond.to_dict("records"):
        told = f"{row['event'].replace('_', ' ')} ({row['level']}): {signed(row['estimate'])}"
        assert told in finding
    assert finding.count("(") == len(beyond)


def test_tables_hold_the_frames_numbers(apart: Versus, shown: dict[str, Block]) -> None:
    (rates,) = shown["rates-of-both"].tables
    known = {(row["level"], row["study"], row["event"]): row for row in apart.rates.to_dict("records")}
    events = [head.text.replace(" ", "_") for head in rates.heads[2:-2]]
    assert len(rates.rows) == len(apart.levels) * 2
    for level, name, *cells in rates.rows:
        rows = [known[level.text, name.text, event] for event in events]
        assert cells[:-2] == [cell_of(row) for row in rows]
        assert [int(cell.text) for cell in cells[-2:]] == [rows[0]["n_points"], rows[0]["n_runs"]]
    (differences,) = shown["differences-of-both"].tables
    assert len(differences.rows) == len(apart.differences) == len(SIDE_BY_SIDE) * len(apart.levels)
    for cells, row in zip(differences.rows, apart.differences.to_dict("records"), strict=True):
        assert (cells[0].text, cells[1].text) == (row["event"].replace("_", " "), row["level"])
        assert cells[2].text == signed(row["estimate"])
        assert cells[2].title == row["reason"]
    assert shown["rates-of-both"].data is apart.rates


def test_how_points_were_compared_is_said(apart: Versus, shown: dict[str, Block]) -> None:
    assert "point by point" in shown["differences-of-both"].note
    own = versus(study(), study("two", shift=1e-5))
    assert "points of their own" in blocks(own)["differences-of-both"].note


def beside(apart: Versus, other: Study) -> Versus:
    """The first study beside another, as far as their settings go: rates and differences stay."""
    settings = differing_settings(apart.first.frames.spec, other.frames.spec)
    paired = same_points(apart.first, other)
    shared = shared_levels(apart.first, other)
    return dataclasses.replace(apart, second=other, settings=settings, paired=paired, shared=shared)


THRESHOLDS = Thresholds()
ONE_CHANGE: list[tuple[dict[str, Any], str]] = [
    ({"outcomes": THRESHOLDS.model_copy(update={"persist": THRESHOLDS.persist + 1})}, "other thresholds"),
    ({"training": Training(steps=200)}, "other horizons"),
    ({"dataset": "cifar10"}, "measured on other data"),
    ({"image_size": 64}, "measured on other data"),
    ({"recording": Recording(samples=512)}, "measured on other data"),
    ({"space": {"loss": LOSSES, "lr": Range(low=1e-5, high=1e-2)}, "shift": 1e-5}, "drew from other spaces"),
    ({"losses": ("hinge",)}, "list other levels of loss: rates and differences are over runs at hinge alone"),
    ({"losses": ("hinge",), "shift": 1e-5}, "list other levels of loss"),
    ({"losses": ("wasserstein", "relativistic")}, "no level of loss in common"),
]


@pytest.mark.parametrize(("changes", "words"), ONE_CHANGE)
def test_what_clouds_a_difference_has_its_caution(apart: Versus, changes: dict[str, Any], words: str) -> None:
    (caution,) = versus_cautions(beside(apart, study("two", **changes)))
    assert words in caution


@pytest.mark.parametrize("changes", [{}, {"fixed": {"batch_size": 32}}])
def test_one_difference_that_clouds_nothing_has_no_caution(apart: Versus, changes: dict[str, Any]) -> None:
    result = beside(apart, study("two", **changes))
    assert len(result.settings) == len(changes)
    assert versus_cautions(result) == []


def test_several_differences_cannot_be_told_apart(apart: Versus) -> None:
    result = beside(apart, study("two", training=Training(steps=200), dataset="cifar10"))
    assert versus_cautions(result)[-1] == "2 settings differ: a difference cannot be laid to one of them."


def test_other_levels_are_warned_of_at_the_same_points_too(apart: Versus) -> None:
    """A crossed loss more changes no point; it would change what all runs are."""
    result = versus(apart.first, study("two", losses=("hinge", "minimax", "wasserstein")))
    assert result.paired
    (caution,) = versus_cautions(result)
    assert "over runs at hinge and minimax alone, which both have" in caution
    assert versus_headline(result)[0].startswith("Runs of hinge, minimax that succeeded: “one” ")
    assert versus_headline(apart)[0].startswith("Runs that succeeded: “one” ")


def test_all_runs_that_are_cut_keep_their_page(apart: Versus) -> None:
    result = versus(apart.first, study("two", losses=("hinge",), success=0.9, seed=1))
    (rates,) = blocks(result)["rates-of-both"].tables
    assert [row[0].text for row in rates.rows] == ["all runs of hinge"] * 2
    assert "all runs of hinge" in render_versus(result)
    assert "That is a difference: −" in versus_headline(result)[1]


def test_settings_are_listed_or_said_to_be_the_same(apart: Versus, shown: dict[str, Block]) -> None:
    same = shown["settings-that-differ"]
    assert (same.finding, same.tables) == ("Both study files say the same.", ())
    other = blocks(beside(apart, study("two", training=Training(steps=200))))["settings-that-differ"]
    assert [cell.text for cell in other.tables[0].rows[0]][:1] == ["training.steps"]
    assert [head.text for head in other.tables[0].heads] == ["setting", "one", "two"]
    assert other.finding == ""


def test_without_runs_or_points_reasons_stand_for_numbers() -> None:
    single, full = study("single", points=1), study()
    result = versus(single, full)
    assert versus_headline(result)[1].startswith("Whether that is a difference cannot be estimated")
    assert set(all_runs(result.rates)["reason"]) == {ONE_POINT, ""}
    search = study("search")
    search.frames.runs["adaptive"] = True
    rates = blocks(versus(search, search))["rates-of-both"]
    assert rates.figure is None
    assert {cell.text for cell in rates.tables[0].rows[0][2:-2]} == {NOTHING}
    assert all("earlier results" in cell.title for cell in rates.tables[0].rows[0][2:-2])


@pytest.mark.parametrize("finished", [(0, 9), (9, 0), (0, 0)])
def test_an_empty_study_has_a_page_beside_another(make_study: MakeStudy, finished: tuple[int, int]) -> None:
    first, second = (Study(make_study(finished=count, name=f"n{count}")) for count in finished)
    result = versus(first, second)
    assert "not estimable: no finished runs" in versus_headline(result)[0]
    assert f"{finished[0]} finished of 36 planned" in render_versus(result)


def test_the_page_keeps_text_of_a_study_text() -> None:
    evil = "<img src=x onerror=alert(1)>"
    first = study('<b>"one"</b>', losses=("hinge", evil))
    second = study("_'two'", losses=("hinge", evil), seed=1, success=0.9, training=Training(steps=200))
    text = render_versus(versus(first, second))
    assert "<b>&#34;" not in text
    assert '<b>"' not in text
    assert "<img" not in text
    assert "&lt;b&gt;&#34;one&#34;&lt;/b&gt;" in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "https://" not in text


def test_sections_and_ids_of_the_page(apart: Versus) -> None:
    text = render_versus(apart)
    assert re.findall(r'<section id="([^"]+)"', text) == ["design", "settings", "rates"]
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    keys = [block.key for section in versus_sections(apart) for block in section.blocks]
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*", key) for key in keys)
    assert set(keys) <= set(ids)
    assert set(re.findall(r'href="#([a-z-]+)"', text)) <= set(ids)
    for name in apart.names:
        assert f'<th scope="col">{name}</th>' in text

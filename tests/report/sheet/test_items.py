from __future__ import annotations

from collections.abc import Callable

import pytest

from stability.errors import StabilityError
from stability.reading.frames import StudyFrames
from stability.report.sheet.items import draw_items
from stability.spec import Design

MakeStudy = Callable[..., StudyFrames]
SIX = Design(points=2, seeds=1, cross=("loss",))


def drawn(study: StudyFrames, seed: int, runs: int | None = None) -> list[tuple[str, str]]:
    return [(item.code, item.run) for item in draw_items([study], runs=runs, seed=seed)]


def test_a_seed_decides_order_and_codes(make_study: MakeStudy) -> None:
    study = make_study(design=SIX)
    assert drawn(study, 1) == drawn(study, 1)
    assert [code for code, _ in drawn(study, 1)] == ["B001", "B002", "B003", "B004", "B005", "B006"]
    orders = {tuple(run for _, run in drawn(study, seed)) for seed in range(8)}
    assert len(orders) > 4
    assert all(sorted(order) == sorted(study.runs["run"]) for order in orders)


def test_the_labels_have_no_part_in_it(make_study: MakeStudy) -> None:
    study = make_study(design=SIX)
    before = drawn(study, 3)
    study.runs["outcome"] = list(reversed(study.runs["outcome"]))
    assert drawn(study, 3) == before


def test_some_of_the_runs_of_several_studies(make_study: MakeStudy) -> None:
    study = make_study(design=SIX)
    items = draw_items([study, study], runs=12, seed=0)
    assert len({(id(item.study), item.run) for item in items}) == 6
    assert len(items) == 12
    assert drawn(study, 0, runs=4) == drawn(study, 0)[:4]


def test_more_than_has_finished(make_study: MakeStudy) -> None:
    with pytest.raises(StabilityError, match="--runs 7: only 6 have finished"):
        drawn(make_study(design=SIX), 0, runs=7)
    with pytest.raises(StabilityError, match="no run has finished yet"):
        drawn(make_study(design=SIX, finished=0), 0)

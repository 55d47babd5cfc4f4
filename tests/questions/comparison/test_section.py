from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stability.page_kit.blocks import Block
from stability.page_kit.words import p_text
from stability.questions.comparison.estimate import ALL_PAIRS, LOWER_FID, Family, compare_levels
from stability.questions.comparison.same_runs import SAME_RUN_COLUMNS
from stability.questions.comparison.section import MOST_ROWS, comparisons_blocks
from stability.reading.frames import StudyFrames
from stability.reading.study import Study
from stability.spec import Choice, Design, Range, StudySpec
from stability.statistics.rates import SUCCESS

LOSSES = ("minimax", "hinge", "wasserstein")


def study_of(shares: dict[str, list[float]]) -> Study:
    """Two seeds a point, of which these shares succeed, nearly stable."""
    rows = [
        {"point": point, "loss": loss, "outcome": "nearly-stable" if seed < 2 * share else "collapsed"}
        for loss, of_points in shares.items()
        for point, share in enumerate(of_points)
        for seed in range(2)
    ]
    frame = pd.DataFrame(rows, columns=["point", "loss", "outcome"])
    runs = frame.assign(
        adaptive=False, lr=1e-3 + frame["point"] / 1e4, collapse_ever=frame["outcome"] == "collapsed"
    )
    spec = StudySpec(
        name="pairs",
        space={"loss": Choice(values=LOSSES), "lr": Range(low=1e-3, high=1e-1)},
        design=Design(points=8, seeds=2, cross=("loss",)),
    )
    nothing: Any = None
    return Study(StudyFrames("pairs", spec, nothing, runs, nothing, nothing, nothing, Path()))


def blocks_of(
    shares: dict[str, list[float]],
    *,
    crossed: bool = True,
    same: Sequence[tuple[object, ...]] = (),
    family: Family = ALL_PAIRS,
) -> list[Block]:
    study = study_of(shares)
    found = [
        compare_levels(
            study.runs,
            "loss",
            event,
            crossed=crossed,
            rng=np.random.default_rng(0),
            varied=study.varied,
            family=family,
        )
        for event in (SUCCESS, "collapse_ever")
    ]
    return comparisons_blocks(study, found, pd.DataFrame(same, columns=list(SAME_RUN_COLUMNS)))


CLEAR = {"minimax": [0.0] * 11 + [0.5], "hinge": [1.0] * 10 + [0.5, 0.0], "wasserstein": [0.0, 0.5] * 6}


def test_a_clear_difference_is_told_with_its_interval() -> None:
    success, collapse = blocks_of(CLEAR)
    assert "3 of 3 pairs can be told apart" in success.finding
    assert "hinge more often than under minimax (+.83 [+" in success.finding
    assert "All 3 at once: the shares are not all equal (Hotelling’s T²" in success.finding
    assert "minimax more often than under hinge" in collapse.finding
    assert success.figure is not None
    assert "Forest plot" in success.figure
    assert (success.key, collapse.key) == ("differences-success", "differences-collapse-ever")


def test_levels_that_trained_the_same_runs_are_named_once() -> None:
    counted = [
        ("minimax", "hinge", 0, 0, 24),
        ("minimax", "wasserstein", 1, 1, 24),
        ("hinge", "wasserstein", 12, 15, 24),
    ]
    success, collapse = blocks_of(CLEAR, same=counted)
    assert success.finding.endswith(
        "Some runs of a point and seed are one and the same to the last bit, so that nothing can differ: "
        "hinge and wasserstein in 12 of 24 pairs (in 3 more until half-way) and minimax and wasserstein in "
        "1 of 24 pairs."
    )
    assert "to the last bit" not in collapse.finding
    assert "to the last bit" not in blocks_of(CLEAR, same=counted[:1])[0].finding


def test_against_a_baseline_the_question_is_whether_it_helps() -> None:
    success, collapse = blocks_of(CLEAR, family=Family("minimax"))
    assert success.question == (
        "Does it help? Which loss makes runs succeed more or less often than minimax?"
    )
    assert success.finding.startswith("Runs succeed more often than under minimax with hinge (+.83 [+")
    assert "Hotelling" not in success.finding
    assert collapse.finding.startswith("Runs collapse at some time after being good less often than under ")
    assert "for all 2 comparisons with minimax at once with 95% (Bonferroni)" in success.note
    assert [row[0].text for row in success.tables[0].rows] == ["hinge − minimax", "wasserstein − minimax"]
    assert set(success.data["second"]) == {"minimax"}
    few = blocks_of({"minimax": [0, 1, 0.5, 1] * 3, "hinge": [1, 0, 0.5, 0.5] * 3}, family=Family("minimax"))
    assert few[0].finding == "None of 1 can be told apart from minimax with these points."


def test_the_lower_fid_is_told_with_its_rule() -> None:
    study = study_of(CLEAR)
    fids = study.runs["loss"].map({"minimax": 3.0, "hinge": 1.0, "wasserstein": 2.0})
    own = {"fid_ratio": fids, "replicate": study.runs.groupby(["point", "loss"]).cumcount(), "stopped": False}
    found = compare_levels(
        study.runs.assign(**own), "loss", LOWER_FID, crossed=True, rng=np.random.default_rng(0)
    )
    (block,) = comparisons_blocks(study, [found], pd.DataFrame(columns=list(SAME_RUN_COLUMNS)))
    assert block.question == "Do runs end with the lower FID more often under one loss than under another?"
    assert block.finding.startswith(
        "3 of 3 pairs can be told apart: runs end with the lower FID under hinge more often than under "
    )
    assert "All 3 at once" not in block.finding
    assert "by however little" in block.note
    assert "not finished" not in block.note
    assert len(block.tables) == 1


def test_the_table_has_a_row_for_every_pair() -> None:
    table = blocks_of(CLEAR)[0].tables[0]
    assert [row[0].text for row in table.rows] == [
        "hinge − minimax",
        "hinge − wasserstein",
        "wasserstein − minimax",
    ]
    assert {len(row) for row in table.rows} == {len(table.heads)}
    first = [cell.text for cell in table.rows[0]]
    assert first[1:3] == ["+.83", "<.001"]
    assert first[4:] == ["12 of 12: 11 to 1", "12", "48"]


def test_points_that_disagree_are_listed_and_all_in_the_data() -> None:
    block = blocks_of(CLEAR)[0]
    points = block.tables[1]
    assert points.folded.startswith("Where pairs disagree: 12 points")
    assert [head.text for head in points.heads] == ["point", "share", "against", "lr"]
    assert points.rows[0][1].text == "minimax 0"
    assert points.rows[0][2].text == "hinge 1"
    assert len(block.data) == len(points.rows) == 12 + 12 + 5
    assert set(block.data.event) == {SUCCESS}


def test_a_long_list_of_points_is_cut_and_says_so() -> None:
    many = blocks_of({"minimax": [0.0] * 60, "hinge": [1.0, 0.5] * 30})[0]
    assert len(many.tables[1].rows) == MOST_ROWS
    assert "the 40 largest of 60 differences; the CSV has all" in many.tables[1].caption
    assert len(many.data) == 60


def test_overlapping_levels_cannot_be_told_apart() -> None:
    block = blocks_of({"minimax": [0, 1, 0.5, 1] * 3, "hinge": [1, 0, 0.5, 0.5] * 3})[0]
    assert block.finding == "No difference is large enough for these points: the two cannot be told apart."


def test_levels_that_never_differ_need_no_figure() -> None:
    block = blocks_of(dict.fromkeys(LOSSES, [0.0] * 6))[0]
    assert block.finding == "At every point all have the same share: there is no difference to see."
    assert block.figure is None
    assert len(block.tables) == 1
    assert block.data.n_disagree.tolist() == [0, 0, 0]


def test_a_constant_difference_is_told_with_its_interval() -> None:
    block = blocks_of({"minimax": [0.0] * 12, "hinge": [1.0] * 12})[0]
    assert block.finding.startswith(
        "1 of 1 pair can be told apart: runs succeed under hinge more often than under minimax (+1 [+."
    )
    assert block.tables[0].rows[0][1].detail.startswith("[+.")
    few = blocks_of({"minimax": [0.0] * 4, "hinge": [1.0] * 4})[0]
    assert few.finding == "No difference is large enough for these points: the two cannot be told apart."


def test_one_point_is_too_few() -> None:
    block = blocks_of({"minimax": [0.0], "hinge": [1.0]})[0]
    assert "told apart" in block.finding
    assert "no interval" in block.tables[0].rows[0][1].title


def test_levels_at_different_points_speak_of_welch() -> None:
    block = blocks_of(CLEAR, crossed=False)[0]
    assert "Welch" in block.note
    assert "widened" in block.note
    assert block.figure is not None
    assert "Hotelling" not in block.finding
    assert "points that disagree" not in [head.text for head in block.tables[0].heads]


def test_nothing_to_compare_is_no_block() -> None:
    assert blocks_of({"minimax": [0.0, 1.0]}) == []
    assert blocks_of({}) == []


@pytest.mark.parametrize(
    ("p", "text"), [(0.0321, ".032"), (0.0001, "<.001"), (1.0, "1"), (0.5, ".500"), (float("nan"), "–")]
)
def test_p_values_in_words(p: float, text: str) -> None:
    assert p_text(p) == text

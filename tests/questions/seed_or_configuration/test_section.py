from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from stability.page_kit.blocks import Block
from stability.questions.seed_or_configuration.estimate import PARTS, RESPONSES, Variance, variance_shares
from stability.questions.seed_or_configuration.section import variance_blocks
from stability.reading.frames import StudyFrames
from stability.reading.study import ALL, Study
from stability.spec import Design
from stability.statistics.best_of_k import best_of

MakeStudy = Callable[..., StudyFrames]
CROSSED = Design(points=8, seeds=2, cross=("loss",))


def blocks_of(frames: StudyFrames, factor: str = "loss") -> dict[str, Block]:
    study = Study(frames)
    blocks = variance_blocks(study, variance_shares(study.runs, factor), best_of(study.runs, factor))
    return {block.key: block for block in blocks}


def shares(estimates: list[tuple[float, float, float]], levels: list[str]) -> Variance:
    """Made-up shares of the configuration for the first response, and no parts."""
    rows = [
        {
            "loss": level,
            "response": response,
            "n_left_out": 0,
            "n_points": 8,
            "n_runs": 16,
            "reason": "not estimable",
        }
        for level in levels
        for response in RESPONSES
    ]
    frame = pd.DataFrame(rows).assign(estimate=np.nan, ci_low=np.nan, ci_high=np.nan)
    first = frame["response"] == "success"
    frame.loc[first, ["estimate", "ci_low", "ci_high"]] = np.array(estimates)
    parts = pd.DataFrame({"response": [], "part": [], "estimate": []})
    return Variance("loss", frame, parts)


def test_three_questions_have_figures_words_and_data(make_study: MakeStudy) -> None:
    blocks = blocks_of(make_study(design=CROSSED))
    assert set(blocks) <= {"seed-and-configuration", "parts-of-the-variance", "best-of-a-budget"}
    assert {"seed-and-configuration", "best-of-a-budget"} <= set(blocks)
    for block in blocks.values():
        assert block.figure is not None
        assert block.finding
        assert not block.data.empty
        for table in block.tables:
            assert all(len(row) == len(table.heads) for row in table.rows)


def test_the_finding_tells_seed_from_configuration_by_the_intervals(make_study: MakeStudy) -> None:
    study = Study(make_study(design=CROSSED))
    levels = list(study.order("loss"))
    result = shares([(0.8, 0.6, 0.9), (0.1, 0.0, 0.4), (0.5, 0.2, 0.8)], levels)
    block = variance_blocks(study, result, best_of(study.runs.iloc[:0], "loss"))[0]
    told = (
        f"more the configuration for {levels[0]}, more the seed for {levels[1]}, cannot be told for 1 level"
    )
    assert block.finding == f"Success: {told}."


def test_where_nothing_is_estimable_the_reason_is_given_and_no_figure(make_study: MakeStudy) -> None:
    blocks = blocks_of(make_study(design=Design(points=8, seeds=1, cross=("loss",))))
    block = blocks["seed-and-configuration"]
    assert block.figure is None
    assert "two seeds" in block.finding
    assert "parts-of-the-variance" not in blocks


def test_parts_are_named_by_the_factor_and_add_up(make_study: MakeStudy) -> None:
    frames = make_study(design=Design(points=16, seeds=2, cross=("loss",)))
    generator = np.random.default_rng(0)
    runs = frames.runs.assign(outcome="noise", fid_ratio=np.exp(generator.normal(size=len(frames.runs))))
    study = Study(frames)
    result = variance_shares(runs, "loss")
    block = {b.key: b for b in variance_blocks(study, result, best_of(runs, "loss"))}["parts-of-the-variance"]
    heads = [head.text for head in block.tables[0].heads]
    assert heads[1:5] == ["configuration", "loss", "configuration × loss", "seed"]
    assert list(block.data["part"].unique()) == list(PARTS)
    assert "the largest part is seed" in block.finding


def test_the_budget_speaks_of_no_more_than_a_quarter_of_the_points(make_study: MakeStudy) -> None:
    block = blocks_of(make_study(design=CROSSED))["best-of-a-budget"]
    assert block.finding.startswith("With 2 points, the best ")
    assert [head.text for head in block.tables[0].heads] == [
        "loss",
        "1 point",
        "2 points",
        "4 points",
        "8 points",
        "n_points",
    ]


def test_all_runs_together_need_no_level_in_words(make_study: MakeStudy) -> None:
    block = blocks_of(make_study(design=CROSSED), ALL)["best-of-a-budget"]
    assert "lowest of the levels" not in block.finding


@pytest.mark.parametrize(
    "changes", [{"finished": 0}, {"design": Design(sampler="tpe", points=4, cross=("loss",))}]
)
def test_without_runs_to_estimate_from_there_is_no_block(
    make_study: MakeStudy, changes: dict[str, object]
) -> None:
    assert blocks_of(make_study(**changes)) == {}

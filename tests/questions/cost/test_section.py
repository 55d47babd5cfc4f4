from __future__ import annotations

import numpy as np
from lr_study import study_of

from stability.page_kit.blocks import Block
from stability.page_kit.words import number
from stability.questions.cost.estimate import costs_by
from stability.questions.cost.section import costs_blocks
from stability.reading.study import ALL, Study


def cost_blocks_of(study: Study, factor: str = "loss") -> list[Block]:
    return costs_blocks(study, costs_by(study.runs, study.frames.events, factor), factor)


def test_the_most_successes_per_hour_are_named_with_their_interval() -> None:
    (block,) = cost_blocks_of(study_of())
    assert block.finding.startswith("hinge gave the most: 90.6 successes per hour of training. With ")
    row = block.data[(block.data["measure"] == "successes_per_hour") & (block.data["loss"] == "hinge")].iloc[
        0
    ]
    bounds = f"[{number(row['joint_low'])}, {number(row['joint_high'])}]"
    told = f"hold for all 2 at once (Bonferroni, 97.5% each), its own, {bounds}, overlaps with no other."
    assert told in block.finding
    assert "the same number of discriminator updates" in block.finding
    assert block.figure is not None
    assert "Collapses per hour of training: hinge " in block.figure


def test_overlapping_costs_are_not_ranked() -> None:
    (block,) = cost_blocks_of(study_of({"hinge": 0.5, "minimax": 0.45}))
    assert "overlaps with that of minimax." in block.finding
    assert "told apart" not in block.finding


def test_an_overlap_that_only_joint_intervals_have_is_told() -> None:
    """Levels apart by their own 95% intervals alone are not called apart."""
    study = study_of({"hinge": 0.6, "minimax": 0.25})
    costs = costs_by(study.runs, study.frames.events, "loss")
    lows = costs.loc[(costs["measure"] == "successes_per_hour") & (costs["loss"] == "hinge"), "ci_low"]
    of_minimax = (costs["measure"] == "successes_per_hour") & (costs["loss"] == "minimax")
    between = costs.assign(
        ci_high=costs["ci_high"].where(~of_minimax, 0.99 * lows.iloc[0]),
        joint_high=costs["joint_high"].where(~of_minimax, lows.iloc[0]),
    )
    (block,) = costs_blocks(study, between, "loss")
    assert "overlaps with that of minimax." in block.finding


def test_a_single_point_says_nothing_of_overlap() -> None:
    study = study_of()
    one = study.runs[study.runs["point"] == 0]
    (block,) = costs_blocks(study, costs_by(one, study.frames.events, "loss"), "loss")
    assert "overlap" not in block.finding


def test_different_updates_are_not_called_the_same() -> None:
    study = study_of(n_dis=[5] * 64 + [1] * 64)
    assert "the same number" not in cost_blocks_of(study)[0].finding


def test_the_table_of_costs_has_every_measure() -> None:
    table = cost_blocks_of(study_of())[0].tables[0]
    assert [row[0].text for row in table.rows] == ["hinge", "minimax"]
    assert {len(row) for row in table.rows} == {len(table.heads)}
    texts = [cell.text for cell in table.rows[0]]
    assert texts[1:3] == ["1,000", "36"]
    assert texts[-2:] == ["32", "64"]


def test_a_cost_that_is_missing_says_why() -> None:
    (block,) = cost_blocks_of(study_of(seconds=np.nan))
    cell = block.tables[0].rows[0][2]
    assert cell.text == "–"
    assert "without a training time" in cell.title
    assert "per hour" not in block.finding


def test_no_success_buys_nothing() -> None:
    (block,) = cost_blocks_of(study_of({"hinge": 0.0, "minimax": 0.0}))
    assert block.finding.startswith("No run succeeded, so no training bought any.")


def test_held_back_discriminators_are_pointed_out() -> None:
    assert "accuracy_bar" in cost_blocks_of(study_of(accuracy_bar=0.8))[0].note
    assert "accuracy_bar" not in cost_blocks_of(study_of(accuracy_bar=np.nan))[0].note


def test_a_study_without_factor_is_one_level() -> None:
    study = study_of({"hinge": 0.5})
    (costs,) = cost_blocks_of(study, ALL)
    assert costs.finding.startswith("The study gave 50 [")


def test_a_search_has_no_costs() -> None:
    assert cost_blocks_of(study_of(adaptive=True)) == []
    assert cost_blocks_of(study_of({})) == []

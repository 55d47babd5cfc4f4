from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stability.analysis.costs import costs_by
from stability.analysis.frames import StudyFrames
from stability.analysis.study import ALL, Study
from stability.analysis.subboxes import subbox_rates
from stability.report.blocks import Block
from stability.report.sections.costs import costs_blocks, subbox_blocks
from stability.report.words import number
from stability.spec import Choice, Design, Range, StudySpec

SHARES = {"hinge": 0.9, "minimax": 0.1}


def study_of(shares: dict[str, float] | None = None, **columns: Any) -> Study:
    """32 points with two seeds; these shares of the points, from the smallest lr on, are nearly stable."""
    shares = SHARES if shares is None else shares
    rows = [
        {
            "run": f"{loss}-{point}-{seed}",
            "point": point,
            "loss": loss,
            "lr": 1e-5 * 1000 ** ((point + 0.5) / 32),
            "outcome": "nearly-stable" if point < 32 * share else "collapsed",
            "n_dis": 1,
        }
        for loss, share in shares.items()
        for point in range(32)
        for seed in range(2)
    ]
    frame = pd.DataFrame(rows, columns=["run", "point", "loss", "lr", "outcome", "n_dis"])
    runs = frame.assign(
        **{"adaptive": False, "step": 1000, "seconds": 36.0, "collapse_ever": frame["outcome"] == "collapsed"}
        | {"divergence_step": pd.array([pd.NA] * len(frame), dtype="Int64")}
        | columns
    )
    spec = StudySpec(
        name="costs",
        space={"loss": Choice(values=tuple(SHARES)), "lr": Range(low=1e-5, high=1e-2, log=True)},
        design=Design(points=32, seeds=2, cross=("loss",)),
    )
    events = pd.DataFrame({"run": runs.loc[runs["collapse_ever"], "run"], "kind": "collapse", "onset": 500})
    nothing: Any = None
    return Study(StudyFrames("costs", spec, nothing, runs, nothing, nothing, events, Path()))


def cost_blocks_of(study: Study, factor: str = "loss") -> list[Block]:
    return costs_blocks(study, costs_by(study.runs, study.frames.events, factor), factor)


def part_blocks_of(study: Study, factor: str = "loss") -> list[Block]:
    return subbox_blocks(study, subbox_rates(study.runs, study.frames.spec, factor), factor)


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
    (costs,), (parts,) = cost_blocks_of(study, ALL), part_blocks_of(study, ALL)
    assert costs.finding.startswith("The study gave 50 [")
    assert parts.finding.startswith("The success rate is .50 over the whole space, .50 [")
    assert [head.text for head in parts.tables[0].heads] == ["part", "all runs", "n_runs"]


def test_the_parts_tell_how_far_the_rate_moves() -> None:
    (block,) = part_blocks_of(study_of())
    assert [row[0].text for row in block.tables[0].rows] == ["whole space", "lr 1e-4 to 1e-3"]
    assert block.finding.startswith("hinge, ahead over the whole space, is so on every part.")
    assert "under hinge is .91 over the whole space, 1 [.72, 1] on lr 1e-4 to 1e-3." in block.finding
    assert block.tables[1].folded
    assert set(block.data.parameter) == {"", "lr"}


def test_a_change_of_order_on_a_part_is_told_with_care() -> None:
    study = study_of({"hinge": 0.6, "minimax": 0.5})
    runs = study.runs
    turned = (runs["loss"] == "hinge") & runs["lr"].between(1e-4, 1e-3)
    outcome = runs["outcome"].where(~turned, "diverged").where(runs["lr"].between(1e-4, 1e-3), "stable")
    outcome = outcome.where((runs["loss"] == "hinge") | runs["lr"].between(1e-4, 1e-3), "diverged")
    (block,) = part_blocks_of(study_of({"hinge": 0.6, "minimax": 0.5}, outcome=outcome.to_numpy()))
    assert "is so on 0 of 1 part: not on lr 1e-4 to 1e-3" in block.finding
    assert "says little" in block.finding


def test_a_search_has_neither() -> None:
    study = study_of(adaptive=True)
    assert cost_blocks_of(study) == []
    assert part_blocks_of(study) == []
    assert cost_blocks_of(study_of({})) == []
    assert part_blocks_of(study_of({})) == []


def test_two_parts_give_the_span_of_the_rate() -> None:
    study = study_of()
    spec = study.frames.spec
    wider = spec.model_copy(update={"space": spec.space | {"width": Range(low=1.0, high=2.0)}})
    rates = subbox_rates(study.runs.assign(width=np.where(study.runs["lr"] < 1e-3, 1.0, 2.0)), wider, "loss")
    (block,) = subbox_blocks(study, rates, "loss")
    assert "from .73 [" in block.finding
    assert "on width 1.5 to 2 to 1 [" in block.finding

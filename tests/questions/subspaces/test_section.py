from __future__ import annotations

import numpy as np
import pytest
from lr_study import study_of

from stability.page_kit.blocks import Block
from stability.questions.subspaces.estimate import rates_along, subbox_rates
from stability.questions.subspaces.section import along_blocks, subbox_blocks
from stability.reading.study import ALL, Study
from stability.spec import Range


def part_blocks_of(study: Study, factor: str = "loss") -> list[Block]:
    return subbox_blocks(study, subbox_rates(study.runs, study.frames.spec, factor), factor)


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


def test_two_parts_give_the_span_of_the_rate() -> None:
    study = study_of()
    spec = study.frames.spec
    wider = spec.model_copy(update={"space": spec.space | {"width": Range(low=1.0, high=2.0)}})
    rates = subbox_rates(study.runs.assign(width=np.where(study.runs["lr"] < 1e-3, 1.0, 2.0)), wider, "loss")
    (block,) = subbox_blocks(study, rates, "loss")
    assert "from .73 [" in block.finding
    assert "on width 1.5 to 2 to 1 [" in block.finding


def test_a_search_has_no_parts() -> None:
    assert part_blocks_of(study_of(adaptive=True)) == []
    assert part_blocks_of(study_of({})) == []


def test_a_study_without_factor_is_one_level() -> None:
    (parts,) = part_blocks_of(study_of({"hinge": 0.5}), ALL)
    assert parts.finding.startswith("The success rate is .50 over the whole space, .50 [")
    assert [head.text for head in parts.tables[0].heads] == ["part", "all runs", "n_runs"]


def test_how_runs_end_is_told_along_each_parameter() -> None:
    study = study_of()
    (block,) = along_blocks(study, rates_along(study.runs, study.frames.spec))
    (table,) = block.tables
    assert [row[0].text for row in table.rows] == [
        f"lr {part}" for part in ("1e-5 to 1e-4", "1e-4 to 1e-3", "1e-3 to 0.01")
    ]
    assert [head.text for head in table.heads[:3]] == ["part", "succeeds", "mode collapse"]
    assert block.finding.startswith("Success moves most along lr: ")
    for row in table.rows:
        shares = [float(cell.text.strip("<%")) for cell in row[1:8]]
        assert sum(shares) == pytest.approx(100, abs=2)


def test_nothing_is_told_along_parameters_of_a_search() -> None:
    searched = study_of(adaptive=True)
    assert along_blocks(searched, rates_along(searched.runs, searched.frames.spec)) == []

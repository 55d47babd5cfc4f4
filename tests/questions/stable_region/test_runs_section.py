from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from stability.page_kit.blocks import Block
from stability.questions.stable_region.runs_section import map_block
from stability.reading.frames import StudyFrames
from stability.reading.study import Study
from stability.spec import Choice, Design, Range

MakeStudy = Callable[..., StudyFrames]
LR, RATIO = Range(low=1e-4, high=1e-2, log=True), Range(low=0.1, high=10, log=True)


def block_of(frames: StudyFrames) -> Block:
    (block,) = map_block(Study(frames))
    return block


def label(block: Block) -> str:
    return re.findall(r'aria-label="([^"]*)"', str(block.figure))[0]


def test_the_map_holds_every_run_and_names_every_outcome(make_study: MakeStudy) -> None:
    frames = make_study()
    block = block_of(frames)
    assert list(block.data)[:3] == ["run", "lr_ratio", "beta1"]
    assert block.data["run"].tolist() == frames.runs["run"].tolist()
    for outcome, count in frames.runs["outcome"].value_counts().items():
        assert f"{count} {outcome}" in label(block)
    assert "a panel for each loss" in label(block)
    assert block.question == "Where, over lr_ratio and beta1, do runs succeed?"


def test_what_varies_unseen_is_said(make_study: MakeStudy) -> None:
    assert "lr also varies, unseen" in block_of(make_study()).note
    plain = make_study(space={"lr": LR, "lr_ratio": RATIO}, design=Design(points=4, seeds=1))
    assert block_of(plain).note == "One marker a run."
    assert "panel for each" not in label(block_of(plain))


def test_seeds_stand_side_by_side_or_make_the_axis(make_study: MakeStudy) -> None:
    two = make_study(space={"lr": LR, "lr_ratio": RATIO}, design=Design(points=4, seeds=2))
    one = make_study(space={"lr": LR}, design=Design(points=4, seeds=2))
    assert "side by side" in block_of(two).note
    assert "side by side" not in block_of(one).note
    assert block_of(one).question == "Where, over lr, do runs succeed?"


def test_runs_without_a_value_are_counted(make_study: MakeStudy) -> None:
    frames = make_study(space={"lr": LR, "lr_ratio": RATIO}, design=Design(points=4, seeds=1))
    frames.runs.loc[[0, 2], "lr"] = np.nan
    assert "2 runs without a value cannot be shown." in block_of(frames).note


@pytest.mark.parametrize(
    "changes",
    [{"space": {"loss": Choice(values=("hinge", "minimax"))}}, {"finished": 0}],
    ids=["no range", "no run"],
)
def test_there_may_be_nothing_to_map(make_study: MakeStudy, changes: dict[str, object]) -> None:
    assert map_block(Study(make_study(**changes))) == []

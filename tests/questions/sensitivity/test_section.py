from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from stability.questions.sensitivity.estimate import DEFAULT, VARIANTS, Sensitivity
from stability.questions.sensitivity.section import sensitivity_blocks
from stability.reading.frames import StudyFrames
from stability.reading.study import Study
from stability.spec import Range
from stability.statistics.rates import NO_RUNS

MakeStudy = Callable[..., StudyFrames]
LEVELS = ("hinge", "minimax")


def made(default: tuple[float, float], moved: tuple[float, float], still: int = 1) -> Sensitivity:
    """Shares of two losses as labelled and at a lower bar for the modes; `still` variants move nothing."""
    ways = {DEFAULT: ("", default), "nearly_modes 0.45": ("nearly_modes", moved)}
    ways |= {f"progress {place}": ("progress", default) for place in range(still)}
    rates, variants = [], []
    for name, (threshold, shares) in ways.items():
        for level, value in zip(LEVELS, shares, strict=True):
            rank = 1 + sum(other > value for other in shares)
            interval = {"ci_low": max(0.0, value - 0.1), "ci_high": min(1.0, value + 0.1)}
            rates.append(
                {"variant": name, "threshold": threshold, "value": 0.45, "level": level, "estimate": value}
                | interval
                | {"n_points": 6, "n_runs": 12, "reason": "", "rank": rank}
            )
        best = " / ".join(level for level, value in zip(LEVELS, shares, strict=True) if value == max(shares))
        leader = " / ".join(
            level for level, value in zip(LEVELS, default, strict=True) if value == max(default)
        )
        changed = not set(best.split(" / ")) & set(leader.split(" / "))
        variants.append((name, threshold, 0.45, 1.0 - 2 * changed, best, changed, 3, 24, ""))
    return Sensitivity(
        factor="loss",
        rates=pd.DataFrame(rates),
        variants=pd.DataFrame(variants, columns=list(VARIANTS)),
        resampled=0.3,
        n_runs=24,
        n_available=36,
        n_stopped=2,
    )


def test_a_leader_that_changes_is_named_with_the_variant(make_study: MakeStudy) -> None:
    study = Study(make_study())
    (block,) = sensitivity_blocks(study, made((0.5, 0.2), (0.5, 0.7)))
    assert block.finding == (
        "“hinge” is most successful as labelled, and leads or ties under 1 of 2 other labellings; "
        "not under nearly "
        "modes 0.45. For comparison: with the labels as they are, drawing the points anew changes who leads "
        "in "
        ".30 of the draws."
    )
    assert block.figure is not None
    assert "progress 0" not in block.figure
    assert "Not drawn, since no share moves: progress." in block.note
    assert "24 of 36 runs" in block.note
    assert "2 runs stopped early" in block.note
    rows = {row[0].text: [cell.text for cell in row[1:]] for row in block.tables[0].rows}
    assert rows["nearly modes 0.45"] == ["3", "−1", ".50", ".70"]
    assert len(block.data) == 6


def test_a_leader_that_stays_is_said_to_stay(make_study: MakeStudy) -> None:
    (block,) = sensitivity_blocks(Study(make_study()), made((0.5, 0.2), (0.6, 0.4)))
    assert "leads or ties under all 2 other labellings." in block.finding


def test_without_a_ranking_there_is_none_that_moves(make_study: MakeStudy) -> None:
    (block,) = sensitivity_blocks(Study(make_study()), made((0.0, 0.0), (0.0, 0.1)))
    assert block.finding == (
        "As labelled, all levels are equally successful (0): there is no ranking that could move. "
        "1 of 2 other labellings would put one above another."
    )


def test_nothing_compared_is_no_block_and_nothing_finished_a_reason(make_study: MakeStudy) -> None:
    nothing = Sensitivity(
        "loss",
        pd.DataFrame(columns=["variant"]),
        pd.DataFrame(columns=list(VARIANTS)),
        np.nan,
        0,
        0,
        0,
        NO_RUNS,
    )
    alone = Study(make_study(space={"lr": Range(low=1e-4, high=1e-2, log=True)}))
    assert sensitivity_blocks(alone, nothing) == []
    (block,) = sensitivity_blocks(Study(make_study(finished=0)), nothing)
    assert block.finding == "Not estimable: no finished runs."
    assert block.figure is None

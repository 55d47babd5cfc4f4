from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
from planted_runs import planted_runs, planted_spec, study_of

from stability.page_kit.blocks import Block
from stability.questions.stable_region.estimate import StabilityMap, stability_map
from stability.questions.stable_region.safe_box import SafeBoxes, safe_boxes
from stability.questions.stable_region.section import regions_blocks
from stability.reading.map_axes import map_axes
from stability.reading.study import Study
from stability.spec.loader import parse_study

SPEC = planted_spec(20)


def made() -> pd.DataFrame:
    """Stable wherever beta1 is below .5, but never under minimax."""
    runs = planted_runs(20)
    return runs.assign(
        outcome=np.where((runs["beta1"] < 0.5) & (runs["loss"] != "minimax"), "nearly-stable", "collapsed")
    )


@pytest.fixture(scope="module")
def study() -> Study:
    return study_of(SPEC, made())


def estimated(study: Study) -> tuple[StabilityMap, SafeBoxes]:
    spec, runs = study.frames.spec, study.runs
    found = stability_map(runs, spec, map_axes(spec, runs), rng=np.random.default_rng(0))
    return found, safe_boxes(runs, spec, study.main_factor, rng=np.random.default_rng(0))


def blocks(study: Study) -> dict[str, Block]:
    return {block.key: block for block in regions_blocks(study, *estimated(study))}


@pytest.fixture(scope="module")
def of_study(study: Study) -> dict[str, Block]:
    return blocks(study)


def test_three_blocks_with_figures_tables_and_text_to_paste(of_study: dict[str, Block]) -> None:
    made = of_study
    assert list(made) == ["stability-map", "map-calibration", "safe-box"]
    assert made["stability-map"].figure is not None
    assert made["map-calibration"].figure is not None
    for block in made.values():
        assert block.finding
        assert len(block.tables) == 1
        assert len({len(row) for row in block.tables[0].rows} | {len(block.tables[0].heads)}) == 1
    assert "one-sided" in made["safe-box"].note
    assert "Another random split of the points may choose another box." in made["safe-box"].note
    assert "95% confidence" in made["stability-map"].note
    assert "lr varies, too" in made["stability-map"].note


def test_the_snippet_is_read_by_the_loader(study: Study, of_study: dict[str, Block]) -> None:
    block = of_study["safe-box"]
    chosen = block.data[block.data["chosen"].astype(bool)].iloc[0]
    read = parse_study(f"name: s\ndataset: mnist\n{block.snippet}")
    assert [str(value) for value in read.space["loss"].values] == [chosen["level"]]  # type: ignore[union-attr]
    assert set(read.space) == set(study.frames.spec.space)
    assert f"under {chosen['level']}" in block.finding


def test_a_bound_is_rounded_down_in_the_table_as_in_the_sentence(of_study: dict[str, Block]) -> None:
    block = of_study["safe-box"]
    place = [head.text for head in block.tables[0].heads].index("lower bound (95%)")
    chosen = list(block.data["chosen"]).index(True)
    shown, bound = block.tables[0].rows[chosen][place].text, block.data["ci_low"].iloc[chosen]
    assert bound - 0.01 < float(shown) <= bound
    assert f"at least {round(100 * float(shown))}% of runs succeed" in block.finding


def test_the_map_calls_nothing_safe(of_study: dict[str, Block]) -> None:
    block = of_study["stability-map"]
    assert "A chance of success of at least .5" in block.finding
    texts = (block.finding, block.note, *(head.text for head in block.tables[0].heads))
    assert not any("safe" in text.lower() for text in texts)


def test_panels_without_a_map_give_their_reason_on_hover(of_study: dict[str, Block]) -> None:
    rows = of_study["stability-map"].tables[0].rows
    minimax = [row for row in rows if row[0].text.startswith("minimax")]
    assert minimax
    assert all(" runs succeeded" in row[2].title for row in minimax)
    assert all(row[2].title == "" for row in rows if row[0].text.startswith("hinge"))


def test_no_success_is_told_without_a_map_or_a_box(study: Study) -> None:
    made = blocks(study_of(SPEC, study.frames.runs.assign(outcome="collapsed")))
    assert list(made) == ["stability-map", "safe-box"]
    assert made["stability-map"].figure is None
    assert made["stability-map"].finding.startswith("No map is estimable: none of 20 runs succeeded")
    box = made["safe-box"]
    assert "no run of the choosing half of the points succeeded" in box.finding
    assert not box.snippet
    assert box.data["volume"].isna().all()
    heads = [head.text for head in box.tables[0].heads]
    for row in box.tables[0].rows:
        cells = dict(zip(heads, (cell.text for cell in row), strict=True))
        assert (cells["box"], cells["volume"], cells["lower bound (95%)"]) == ("none", "–", "–")


def test_a_search_has_no_blocks(study: Study) -> None:
    assert blocks(study_of(SPEC, study.frames.runs.assign(adaptive=True))) == {}


@pytest.mark.parametrize(
    ("low", "high", "words"), [(-0.2, -0.1, "better"), (-0.1, 0.1, "cannot be told"), (0.1, 0.2, "worse")]
)
def test_calibration_says_no_more_than_the_interval_allows(
    study: Study, low: float, high: float, words: str
) -> None:
    found, boxes = estimated(study)
    changes: dict[str, Any] = {"estimate": (low + high) / 2, "ci_low": low, "ci_high": high}
    brier = found.brier.copy()
    brier.loc[brier["score"] == "difference", list(changes)] = list(changes.values())
    block = regions_blocks(study, dataclasses.replace(found, brier=brier), boxes)[1]
    assert words in block.finding

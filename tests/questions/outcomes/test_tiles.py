from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stability.page_kit.words import at_least, number, percent, percent_between
from stability.questions.all import Estimates
from stability.questions.outcomes.tiles import Tile, tiles
from stability.questions.outcomes.verdict import verdict
from stability.questions.stable_region.safe_box import BoxRules, SafeBoxes, safe_boxes
from stability.reading.frames import StudyFrames
from stability.reading.study import Study
from stability.spec import Choice, Design, Range, StudySpec, Training
from stability.statistics.rates import RATED, counts_by, rates_by
from stability.store import Plan
from stability.vocabulary.metrics import EVENTS

SHARES = {"hinge": 0.9, "minimax": 0.1}
WELL = ("stable", "nearly-stable")


def study(
    points: int = 60,
    *,
    shares: dict[str, float] | None = None,
    failures: Sequence[str] = ("collapsed",),
    seeds: int = 2,
    compared: bool = True,
) -> Study:
    """A study whose runs succeed at small lr with a share that depends on the loss, and fail in turn."""
    shares = SHARES if shares is None else shares
    generator = np.random.default_rng(5)
    drawn: dict[str, Range | Choice] = {"lr": Range(low=1e-4, high=1e-2, log=True)}
    losses: dict[str, Range | Choice] = {"loss": Choice(values=tuple(shares))} if compared else {}
    spec = StudySpec(
        name="planted",
        space=drawn | losses,
        design=Design(points=points, seeds=seeds),
        training=Training(steps=3000),
    )
    rows = []
    for point in range(points):
        lr = float(np.exp(generator.uniform(np.log(1e-4), np.log(1e-2))))
        for loss, at_best in shares.items():
            for replicate in range(seeds):
                fine = generator.random() < at_best * (lr < 3e-3)
                outcome = WELL[point % 2] if fine else failures[len(rows) % len(failures)]
                rows.append({"run": f"p{point}-{loss}-s{replicate}", "point": point, "loss": loss, "lr": lr})
                rows[-1] |= {"replicate": replicate, "adaptive": False, "outcome": outcome}
    runs = pd.DataFrame(rows).assign(**dict.fromkeys(EVENTS, False))
    empty, plan = pd.DataFrame(), Plan(1, 1, "cpu", 3000, (), ())
    return Study(StudyFrames("planted", spec, plan, runs, empty, empty, empty, Path("planted")))


def estimates(own: Study, boxes: SafeBoxes | None = None) -> Estimates:
    """What the tiles look at, estimated."""
    if boxes is None:
        boxes = safe_boxes(own.runs, own.frames.spec, own.main_factor, rng=np.random.default_rng(1))
    return Estimates(
        study=own,
        factor=own.main_factor or "study",
        verdict=verdict(own.runs, own.main_factor),
        counts={name: counts_by(own.runs, name) for name in own.factors},
        rates={name: rates_by(own.runs, name, RATED) for name in own.factors},
        findings={"boxes": boxes},
    )


def told(tile: Tile) -> str:
    return " ".join(tile.sentences)


def test_there_are_three_answers_or_none() -> None:
    found = estimates(study())
    assert [tile.title for tile in tiles(found)] == [
        "Safest setting found",
        "What goes wrong most",
        "What this study cannot say",
    ]
    search = Estimates(found.study, found.factor, found.verdict, found.counts)
    assert tiles(search) == []


@pytest.mark.parametrize("compared", [True, False])
def test_the_safest_setting_is_the_chosen_box(*, compared: bool) -> None:
    own = study(compared=compared, shares=SHARES if compared else {"hinge": 0.95})
    boxes = safe_boxes(own.runs, own.frames.spec, own.main_factor, rng=np.random.default_rng(1))
    tile = tiles(estimates(own, boxes))[0]
    (row,) = boxes.boxes[boxes.boxes["chosen"]].to_dict("records")
    assert row["ci_low"] > 0.5
    (edge,) = boxes.edges[boxes.edges["level"] == row["level"]].to_dict("records")
    assert not edge["whole"]
    box = f"lr {number(edge['low'])} to {number(edge['high'])}"
    assert tile.lead == (f"hinge, {box}" if compared else box)
    assert tile.sentences == (
        f"At least {at_least(row['ci_low'])} of such runs succeed, with 95% confidence.",
        f"{percent(row['estimate'])} of {row['n_runs']} runs did, at {row['n_points']} points that had "
        "no say in choosing it.",
        f"It is {percent(row['volume'])} of the space that was sampled.",
    )
    assert tile.link == "safe-box"


def test_the_confidence_is_that_of_the_rules() -> None:
    own, rules = study(), BoxRules(confidence=0.9)
    boxes = safe_boxes(own.runs, own.frames.spec, "loss", rng=np.random.default_rng(1), rules=rules)
    assert "with 90% confidence" in told(tiles(estimates(own, boxes))[0])


def test_a_box_that_is_not_narrowed_is_anywhere() -> None:
    own = study(compared=False, shares={"hinge": 0.95})
    boxes = safe_boxes(own.runs, own.frames.spec, None, rng=np.random.default_rng(1))
    boxes.edges["whole"] = True
    assert tiles(estimates(own, boxes))[0].lead == "anywhere"


def test_without_a_box_the_safest_level_is_told_with_the_reason() -> None:
    own = study(points=20)
    boxes = safe_boxes(own.runs, own.frames.spec, "loss", rng=np.random.default_rng(1))
    empty = {"estimate": np.nan, "ci_low": np.nan, "reason": "not estimable: no bounding point lies in it"}
    boxes.boxes.loc[boxes.boxes["chosen"], list(empty)] = list(empty.values())
    (chosen,) = boxes.boxes[boxes.boxes["chosen"]].to_dict("records")
    assert np.isnan(chosen["estimate"])
    tile = tiles(estimates(own, boxes))[0]
    row = boxes.safest.iloc[0]
    assert tile.lead == row["level"] == "hinge"
    assert f"At least {at_least(row['ci_low'])} of its runs" in told(tile)
    assert f"{percent(row['estimate'])} of {row['n_runs']} runs did" in told(tile)
    why = chosen["reason"].removeprefix("not estimable: ")
    assert tile.sentences[-1] == f"No narrower box: {why}."


@pytest.mark.parametrize(("points", "share_success"), [(60, 0.0), (1, 1.0), (2, 1.0)])
def test_nothing_is_called_safe_without_a_bound(points: int, share_success: float) -> None:
    own = study(points, shares={"hinge": share_success, "minimax": share_success})
    found = estimates(own)
    assert found.findings is not None
    tile = tiles(found)[0]
    assert (tile.lead, tile.link) == ("", "")
    assert told(tile).startswith("Nothing here can be called safe: ")
    assert "–" not in told(tile)


def test_the_worst_is_the_last_of_the_verdict_with_its_failures() -> None:
    own = study(failures=("collapsed", "collapsed", "diverged"))
    found = estimates(own)
    tile = tiles(found)[1]
    row = found.verdict.success.iloc[-1]
    assert tile.lead == row["loss"] == "minimax"
    rates = found.rates["loss"].set_index(["loss", "event"])["estimate"]
    assert rates["minimax", "collapsed"] > rates["minimax", "diverged"]
    bounds = percent_between(row["ci_low"], row["ci_high"])
    assert tile.sentences == (
        f"{percent(row['estimate'])} of 120 runs succeeded {bounds}.",
        "They end collapsed most often.",
        "The interval holds for all levels at once.",
    )
    assert tile.link == "shares-by-loss"


def test_failures_at_a_tie_are_all_named_and_runs_that_learn_are_no_failure() -> None:
    tied = study(failures=("diverged", "collapsed"), shares={"hinge": 1.0, "minimax": 0.0})
    tile = tiles(estimates(tied))[1]
    assert "They end diverged and collapsed most often." in tile.sentences
    slow = estimates(study(failures=("learning",)))
    assert "most often" not in told(tiles(slow)[1])


def test_without_levels_the_failures_are_told() -> None:
    found = estimates(study(compared=False, failures=("collapsed", "diverged", "diverged")))
    tile = tiles(found)[1]
    top = found.verdict.failures.iloc[0]
    assert (tile.lead, top["event"]) == ("", "diverged")
    bounds = percent_between(top["ci_low"], top["ci_high"])
    assert tile.sentences[0] == f"diverged: {percent(top['estimate'])} of {top['n_runs']} runs {bounds}."
    assert len(tile.sentences) == len(found.verdict.failures) == 2
    perfect = study(1, shares={"hinge": 1.0, "minimax": 1.0})
    perfect.runs["outcome"] = "nearly-stable"
    assert tiles(estimates(perfect))[1].sentences == ("No run failed.",)


@pytest.mark.parametrize(
    ("own", "words", "said"),
    [
        (study(shares={"hinge": 0.6, "minimax": 0.55}), "the intervals overlap", True),
        (study(), "the intervals overlap", False),
        (study(failures=("learning",)), "still learning at step 3,000", True),
        (study(), "still learning", False),
        (study(seeds=1), "What another seed would have done", True),
        (study(), "What another seed would have done", False),
        (study(), "other data than mnist", True),
    ],
)
def test_what_the_design_does_not_bear_is_said(own: Study, words: str, *, said: bool) -> None:
    assert (words in told(tiles(estimates(own))[2])) == said


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        (("hinge",), "Whether hinge helps or hurts beside minimax: "),
        (("hinge", "wasserstein"), "Whether hinge or wasserstein help or hurt beside minimax: "),
    ],
)
def test_what_cannot_be_told_from_the_baseline_is_said(rest: tuple[str, ...], said: str) -> None:
    found = estimates(study(shares={"hinge": 0.6, "minimax": 0.55, "wasserstein": 0.5}))
    beside = dataclasses.replace(found.verdict, baseline="minimax", overlapping=rest, paired=True)
    (sentence,) = [
        text
        for text in tiles(dataclasses.replace(found, verdict=beside))[2].sentences
        if text.startswith("Whether")
    ]
    assert sentence == f"{said}compared point by point they are too close."


def test_levels_that_share_the_lowest_rate_are_all_named() -> None:
    own = study(shares={"hinge": 0.95, "minimax": 0.0, "wasserstein": 0.0})
    assert tiles(estimates(own))[1].lead == "minimax and wasserstein"


def test_no_level_is_blamed_where_all_are_alike() -> None:
    assert tiles(estimates(study(shares={"hinge": 0.0, "minimax": 0.0})))[1].lead == ""
    found = estimates(study())
    harmless = dataclasses.replace(found.verdict, failures=found.verdict.failures.head(0))
    assert tiles(dataclasses.replace(found, verdict=harmless))[1].sentences == ("No run failed.",)


def test_what_mostly_fails_is_not_called_safe() -> None:
    own = study(shares={"hinge": 0.3, "minimax": 0.2})
    boxes = safe_boxes(own.runs, own.frames.spec, own.main_factor, rng=np.random.default_rng(1))
    assert tiles(estimates(own, boxes))[0].title == "Best setting found: not safe"

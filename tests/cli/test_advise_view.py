from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_study import make_store

from stability.cli.advise_view import as_text, summary
from stability.questions.advice.chances import SCORES
from stability.questions.advice.estimate import NEAREST_COLUMNS, WRONG_COLUMNS, Advice, Change

Command = Any
ADVICE = Advice(
    setting={"loss": "hinge", "lr": 2e-4},
    averaged=("beta1", "batchnorm"),
    reason="",
    n_points=64,
    n_runs=128,
    unit="point",
    nearest=pd.DataFrame(
        [("p003-hinge-s0", "collapsed", 0.0, "one image"), ("p009-hinge-s1", "stable", 0.123, "")],
        columns=list(NEAREST_COLUMNS),
    ),
    wrong=pd.DataFrame(
        [("event", "loss_spike", 2), ("event", "latent_ignored", 1), ("outcome", "collapsed", 1)],
        columns=list(WRONG_COLUMNS),
    ),
    chance=0.314,
    ci_low=0.149,
    brier=pd.DataFrame({"score": SCORES, "estimate": [0.18, 0.24, -0.06], "ci_high": [0.2, 0.25, -0.03]}),
    change=Change("lr", 9e-4, 0.8, 0.61),
)


def test_the_whole_answer_in_words() -> None:
    assert as_text(ADVICE, Path("results/my study")).splitlines() == [
        "loss hinge, lr 2e-4",
        "chance   31% to end stable or nearly so, at least 14% (95% bound), by 128 runs at 64 points, "
        "averaged over beta1 and batchnorm",
        "tested   on points left out, Brier score 0.18, of the overall rate 0.24: better",
        "nearest  p003-hinge-s0  collapsed  at a distance of 0",
        "nearest  p009-hinge-s1  stable  at a distance of 0.123",
        "wrong    collapsed in 1 of the 2 nearest runs; loss_spike in 2",
        "change   lr 2e-4 -> 9e-4: 80%, at least 61%",
        "look     stability show 'results/my study' p003-hinge-s0",
    ]


def test_what_is_not_sure_is_told_so() -> None:
    doubtful = replace(
        ADVICE,
        brier=ADVICE.brier.assign(ci_high=0.01),
        change=Change("loss", "minimax", 0.4, 0.2),
        wrong=ADVICE.wrong.head(0),
    )
    text = as_text(doubtful, Path("r"))
    assert "0.24: not surely better: the parameters that were set tell little\n" in text
    assert "change   loss hinge -> minimax: 40%, at least 20%; that it is higher there is not sure\n" in text
    assert "wrong    none of the 2 nearest runs failed\n" in text
    assert "change   no single change is seen to raise it\n" in as_text(
        replace(ADVICE, change=None), Path("r")
    )


def test_the_same_for_machines() -> None:
    plain = json.loads(json.dumps(summary(ADVICE, Path("my study")), allow_nan=False))
    assert (plain["chance"], plain["ci_low"], plain["better"], plain["sure"]) == (0.314, 0.149, True, True)
    assert plain["change"] == {"parameter": "lr", "value": 9e-4, "chance": 0.8, "ci_low": 0.61}
    assert plain["nearest"][1]["show"] == "stability show 'my study' p009-hinge-s1"
    assert plain["wrong"][0] == {"kind": "event", "name": "loss_spike", "n_runs": 2}
    unknown = replace(ADVICE, reason="why", chance=np.nan, ci_low=np.nan, change=None)
    plain = json.loads(json.dumps(summary(unknown, Path("r")), allow_nan=False))
    assert (plain["chance"], plain["ci_low"], plain["change"], plain["sure"]) == (None, None, None, False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two points, three losses and two seeds; not to be written to."""
    return make_store(tmp_path_factory.mktemp("results") / "made").folder


def test_few_points_give_the_nearest_runs_alone(stability: Command, made: Path) -> None:
    answer = stability("advise", made, "--set", "loss=hinge", "--set", "lr=3e-5")
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[:2] == [
        "loss hinge, lr 3e-5",
        "chance   not estimable: 2 points are too few for a chance, which takes 10",
    ]
    nearest = [line.split()[1] for line in lines if line.startswith("nearest")]
    hinge = ["p0-hinge-s0", "p0-hinge-s1", "p1-hinge-s0", "p1-hinge-s1"]  # at 3.3e-5 and at 2.5e-5
    assert nearest[:4] == hinge
    assert len(nearest) == 8
    assert lines[-1] == f"look     stability show {made} p0-hinge-s0"


def test_outside_is_one_line_and_no_number(stability: Command, made: Path) -> None:
    answer = stability("advise", made, "--set", "loss=dragan")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        "loss dragan",
        "chance   outside of what this study trained: loss dragan (trained: minimax, hinge, wgan-gp)",
    ]
    told = json.loads(stability("advise", made, "--set", "lr=1", "--json").out)
    assert (told["chance"], told["nearest"]) == (None, [])
    assert told["reason"] == "outside of what this study trained: lr 1 (drawn from 1e-05 to 0.01)"


def test_without_results_the_atlas_answers_and_is_named(stability: Command) -> None:
    answer = stability("advise", "--set", "loss=wgan-gp")
    assert (answer.code, answer.err) == (0, "")
    said, source, chance, *others = answer.out.splitlines()
    assert (said, chance.split()[0]) == ("loss wgan-gp", "chance")
    assert source.startswith("from     the atlas that ships, study losses: ")
    assert not any(line.startswith("look") for line in others), "its runs have no pictures to show"
    told = json.loads(stability("advise", "--set", "loss=wgan-gp", "--json").out)
    assert f"from     {told['source']}" == source
    assert "show" not in told["nearest"][0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["RESULTS"], "a setting has at least one parameter, such as loss=hinge"),
        (["RESULTS", "--set", "lr"], "--set lr: must be written key.key=value"),
        (["RESULTS", "--set", "lr=fast"], 'lr: must be a number above 0 and at most 1e+30, not "fast"'),
        (["RESULTS", "--set", "lr=[1"], "--set lr: not valid YAML"),
        (["RESULTS", "--set", "l_r=1"], 'l_r: unknown parameter "l_r"'),
        (["nowhere", "--set", "lr=1"], "nowhere: no such results folder"),
    ],
)
def test_bad_input_ends_in_one_line(stability: Command, made: Path, arguments: list[str], words: str) -> None:
    answer = stability("advise", *(made if word == "RESULTS" else word for word in arguments))
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err
    assert len(answer.err.splitlines()) == 1

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_advice import ADVICE
from made_study import make_store

from stability.cli.advise_view import summary

Command = Any


def test_the_same_for_machines() -> None:
    plain = json.loads(json.dumps(summary(ADVICE), allow_nan=False))
    assert (plain["chance"], plain["ci_low"], plain["better"], plain["sure"]) == (0.314, 0.149, True, True)
    assert (plain["verdict"], plain["ci_high"], plain["horizon"]) == ("cannot tell", 0.52, 2000)
    assert plain["change"] == {"parameter": "lr", "value": 9e-4, "chance": 0.8, "ci_low": 0.61}
    assert (plain["coarser"]["ci_low"], plain["own"]) == (0.2, {"loss": "hinge"})
    assert plain["nearest"][1]["show"] == "stability show 'results/my study' p009-hinge-s1"
    assert plain["wrong"][0] == {"kind": "outcome", "name": "learning", "n_runs": 2}
    unknown = replace(ADVICE, reason="why", chance=np.nan, ci_low=np.nan, ci_high=np.nan, change=None)
    plain = json.loads(json.dumps(summary(unknown), allow_nan=False))
    assert all(plain[name] is None for name in ("chance", "ci_low", "ci_high", "change"))
    assert not plain["sure"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two points, three losses and two seeds; not to be written to."""
    return make_store(tmp_path_factory.mktemp("results") / "made").folder


def test_few_points_give_the_nearest_runs_alone(stability: Command, made: Path) -> None:
    answer = stability("advise", made, "--set", "loss=hinge", "--set", "lr=3e-5")
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[1].startswith("answer   cannot tell: of the 12 nearest runs ")
    assert [lines[0], lines[2]] == [
        "loss hinge, lr 3e-5",
        "chance   not estimable: 2 points are too few for a chance, which takes 10",
    ]
    nearest = [line.split()[1] for line in lines if line.startswith("nearest")]
    hinge = ["p0-hinge-s0", "p0-hinge-s1", "p1-hinge-s0", "p1-hinge-s1"]  # at 3.3e-5 and at 2.5e-5
    assert nearest[:4] == hinge
    assert nearest[8:] == ["and"]
    assert any(line.startswith("wrong    of the 12 nearest runs ") for line in lines)
    assert lines[-1] == f"look     stability show {made} p0-hinge-s0"


def test_outside_is_one_line_and_no_number(stability: Command, made: Path) -> None:
    answer = stability("advise", made, "--set", "loss=dragan")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        "loss dragan",
        "answer   cannot tell: outside of what this study trained: "
        "loss dragan (trained: minimax, hinge, wgan-gp)",
    ]
    told = json.loads(stability("advise", made, "--set", "lr=1", "--json").out)
    assert (told["chance"], told["nearest"]) == (None, [])
    assert told["reason"] == "outside of what this study trained: lr 1 (drawn from 1e-05 to 0.01)"


def test_without_results_the_atlas_answers_and_is_named(stability: Command) -> None:
    answer = stability("advise", "--set", "loss=wgan-gp")
    assert (answer.code, answer.err) == (0, "")
    said, source, verdict, chance, *others = answer.out.splitlines()
    assert (said, verdict.split()[0], chance.split()[0]) == ("loss wgan-gp", "answer", "chance")
    assert source.startswith("from     the atlas that ships, study losses: ")
    assert not any(line.startswith("look") for line in others), "its runs have no pictures to show"
    told = json.loads(stability("advise", "--set", "loss=wgan-gp", "--json").out)
    assert f"from     {told['source']}" == source
    assert "show" not in told["nearest"][0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["RESULTS"], "a setting has at least one parameter, such as loss=hinge"),
        (["RESULTS", "--set", "lr"], "--set lr: must be written KEY=VALUE, such as loss=hinge"),
        (["RESULTS", "--set", "=1"], "--set =1: must be written KEY=VALUE, such as loss=hinge"),
        (["RESULTS", "--set", "lr=1", "--set", "lr=2"], "--set lr: given more than once"),
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

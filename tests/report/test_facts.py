from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import date

import numpy as np
import pytest

from stability.reading.frames import StudyFrames
from stability.reading.study import Study
from stability.report.facts import about, cautions, facts, prior, thresholds
from stability.spec import Choice, Design, Range, Thresholds, Training

MakeStudy = Callable[..., StudyFrames]


def with_spec(frames: StudyFrames, **changes: object) -> Study:
    return Study(dataclasses.replace(frames, spec=frames.spec.model_copy(update=changes)))


def said(study: Study) -> dict[str, str]:
    return {fact.name: fact.text for fact in facts(study)}


def test_the_banner_says_how_the_study_was_made(make_study: MakeStudy) -> None:
    study = Study(make_study(finished=9))
    assert said(study) == {
        "Runs": "9 finished of 36 planned",
        "Rates": "estimable",
        "Sampler": "Sobol (scrambled), fixed before the first run",
        "Points": "6 points, 2 seeds each",
        "Unit": "the point: its seeds and crossed levels are not independent",
        "Crossed": "loss: every level at every point",
        "Horizon": "1,000 steps",
        "Early stop": "when diverged",
        "Visits": "every 500 steps, 1,024 samples",
        "Data": "mnist, measured with the features of mnist_cnn",
        "Device": "cpu, 2 threads",
    }


def test_a_study_without_runs_has_nothing_to_estimate_yet(make_study: MakeStudy) -> None:
    study = Study(make_study(finished=0))
    assert said(study)["Rates"] == "nothing to estimate yet"
    assert said(study)["Data"] == "mnist"
    assert cautions(study) == []


def test_unlike_processors_are_told_by_cohort(make_study: MakeStudy) -> None:
    frames = make_study()
    cohorts = ("c0" + frames.runs["point"].astype(str)).rename("cohort")
    processors = cohorts.map(
        {"c00": "One CPU", "c01": "", "c02": "One CPU"}
    )  # the others: an older release's
    unlike = frames.runs.assign(cohort=cohorts, processor=processors)
    (told,) = set(cautions(Study(dataclasses.replace(frames, runs=unlike)))) - set(cautions(Study(frames)))
    assert told.endswith(" their last digits: unknown: c01; One CPU: c00 and c02.")


def test_a_search_crosses_nothing_unless_told_to(make_study: MakeStudy) -> None:
    free = Study(make_study(design=Design(sampler="tpe", points=6)))
    told = Study(make_study(design=Design(sampler="tpe", points=2, cross=("loss",))))
    assert (said(free)["Crossed"], said(free)["Rates"]) == ("nothing", "not estimable")
    assert {row.name: row.how for row in prior(free)}["loss"] == "searched"
    assert said(told)["Crossed"] == "loss: every level at every point"
    assert {row.name: row.how for row in prior(told)}["loss"] == "crossed"


def test_a_search_is_warned_of_and_of_nothing_else(make_study: MakeStudy) -> None:
    (only,) = cautions(Study(make_study(design=Design(sampler="tpe", points=6))))
    assert "no rate is estimated" in only


@pytest.mark.parametrize(
    ("changes", "words", "warned"),
    [
        ({"finished": 9}, "27 runs of 36 are not finished", True),
        ({}, "not finished", False),
        ({"design": Design(sampler="grid", points=2, seeds=2)}, "Points lie on a grid", True),
        ({}, "Points lie on a grid", False),
        ({"design": Design(points=3, seeds=1)}, "With one seed a point", True),
        ({}, "With one seed a point", False),
        ({"training": Training(steps=1000, stop_on=("diverged", "collapsed"))}, "stopped early", True),
        ({}, "stopped early", False),
        ({}, "average over the space", True),
    ],
)
def test_every_limit_of_the_design_has_its_caution(
    make_study: MakeStudy, changes: dict[str, object], words: str, *, warned: bool
) -> None:
    assert any(words in sentence for sentence in cautions(Study(make_study(**changes)))) == warned


def test_the_space_is_told_range_by_range(make_study: MakeStudy) -> None:
    space: dict[str, Range | Choice] = {
        "lr": Range(low=1e-4, high=1e-2, log=True),
        "n_dis": Range(low=1, high=5, integer=True),
        "beta1": Range(low=0.0, high=0.9, levels=4),
        "loss": Choice(values=("hinge", "minimax")),
        "batchnorm": Choice(values=("none", "generator")),
    }
    rows = prior(with_spec(make_study(finished=0), space=space))
    assert [(row.name, row.values, row.how) for row in rows] == [
        ("lr", "1e-4 to 0.01", "drawn log-uniformly"),
        ("n_dis", "1 to 5", "drawn uniformly, whole numbers"),
        ("beta1", "0 to 0.9", "drawn uniformly, 4 levels"),
        ("loss", "hinge, minimax", "crossed"),
        ("batchnorm", "none, generator", "drawn"),
        ("batch_size", "64", "fixed"),
    ]


def test_what_was_compared_is_counted_by_its_own_name(make_study: MakeStudy) -> None:
    frames = make_study()
    runs = frames.runs.assign(variant=np.resize(["plain", "fast"], len(frames.runs)))
    varied = with_spec(dataclasses.replace(frames, runs=runs), variants={"plain": {}, "fast": {"lr": 0.01}})
    written = date(2026, 1, 2)
    told = [about(study, written).split("; ") for study in (Study(frames), varied)]
    assert told[0][0] == "36 GANs on mnist, 3 losses, 1,000 steps"
    assert told[1][0] == "36 GANs on mnist, 2 variants, 1,000 steps"
    assert told[0][1].startswith("page of 2 January 2026")


def test_thresholds_that_were_changed_are_marked(make_study: MakeStudy) -> None:
    frames = make_study(finished=0)
    default = Thresholds()
    outcomes = default.model_copy(update={"persist": default.persist + 1})
    rows = {row.name: row for row in thresholds(with_spec(frames, outcomes=outcomes))}
    assert list(rows) == list(Thresholds.model_fields)
    assert [name for name, row in rows.items() if row.changed] == ["persist"]
    assert (rows["persist"].value, rows["persist"].default) == (
        str(default.persist + 1),
        str(default.persist),
    )
    assert all(row.meaning for row in rows.values())


def test_variants_are_listed_with_what_they_set(make_study: MakeStudy) -> None:
    variants = {"plain": {}, "fast": {"lr": 0.01, "optimizer": "sgd"}}
    frames = make_study()
    runs = frames.runs.assign(variant=np.resize(["plain", "fast"], len(frames.runs)))
    study = with_spec(dataclasses.replace(frames, runs=runs), variants=variants)
    assert [(row.name, row.values, row.how) for row in prior(study)[-2:]] == [
        ("plain", "as fixed and drawn", "baseline"),
        ("fast", "lr 0.01, optimizer sgd", "variant"),
    ]
    assert (
        "The variant fast sets lr: runs of that have no part in maps, boxes, thirds of lr and what matters."
        in cautions(study)
    )
    most = with_spec(study.frames, variants=variants | {"slow": {"lr": 1e-5}})
    assert "Some variant sets lr itself, so nothing is told of what else was drawn of it." in cautions(most)


def test_configurations_given_by_hand_estimate_no_space(make_study: MakeStudy) -> None:
    frames = make_study(space={}, design=Design(points=2, seeds=1))
    runs = frames.runs.assign(configuration=["plain", "clip"])
    configs = {"plain": {}, "clip": {"weight_clip": 0.01}}
    design = Design(sampler="given", points=2, seeds=1)
    study = with_spec(dataclasses.replace(frames, runs=runs), configs=configs, design=design)
    assert said(study)["Sampler"] == "none: configurations given by hand"
    told = " ".join(cautions(study))
    assert "a rate over several of them is of these alone and estimates no space." in told
    assert "average over the space" not in told
    assert [(row.name, row.how) for row in prior(study)[-2:]] == [
        ("plain", "configuration"),
        ("clip", "configuration"),
    ]

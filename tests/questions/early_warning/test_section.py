from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd

from stability.questions.early_warning.estimate import QUANTITIES, TABLES, EarlyWarning, early_warning
from stability.questions.early_warning.landmarks import ALL_DIAGNOSTICS, BOTH, DIAGNOSTICS, HYPERPARAMETERS
from stability.questions.early_warning.section import warning_blocks
from stability.reading.frames import StudyFrames
from stability.reading.study import Study
from stability.vocabulary.metrics import RECORDED

MakeStudy = Callable[..., StudyFrames]
STEPS = (100, 200)


def estimate(value: float, half: float = 0.1, reason: str = "") -> dict[str, object]:
    return {
        "estimate": value,
        "ci_low": value - half,
        "ci_high": value + half,
        "n_points": 40,
        "n_runs": 80,
        "reason": reason,
    }


def made(early: float = 0.55, late: float = 0.8, gain: float = 0.2, **rule: float) -> EarlyWarning:
    """What everything together reaches at the two steps, what the diagnostics add, and what a stop does."""
    reach = dict(zip(STEPS, (early, late), strict=True))
    kinds = {name: "one" for name in DIAGNOSTICS} | dict.fromkeys(
        (ALL_DIAGNOSTICS, HYPERPARAMETERS, BOTH), "set"
    )
    auc = [
        {"step": step, "predictor": name, "kind": kind}
        | estimate(reach[step] - 0.01 * place * (kind == "one"))
        for step in STEPS
        for place, (name, kind) in enumerate(kinds.items())
    ]
    shares = {"compute_saved": 0.3, "caught": 0.4, "false_stops": 0.04, "learning_stops": 0.2} | rule
    rows = [
        {"step": step, "quantity": name} | estimate(shares[name] * (2 if step == 200 else 1), 0.01)
        for step in STEPS
        for name in QUANTITIES
    ]
    counts = dict.fromkeys(TABLES["landmarks"], 80) | {"reason": ""}
    return EarlyWarning(
        landmarks=pd.DataFrame([counts | {"step": step} for step in STEPS]),
        auc=pd.DataFrame(auc)[list(TABLES["auc"])],
        gain=pd.DataFrame([{"step": step} | estimate(gain) for step in STEPS]),
        rule=pd.DataFrame(rows)[list(TABLES["rule"])],
        n_runs=160,
        n_available=160,
    )


def test_the_finding_tells_the_first_step_at_which_failure_shows(make_study: MakeStudy) -> None:
    study = Study(make_study())
    block = warning_blocks(study, made())[0]
    assert block.finding.startswith("At step 200 failure can be foretold")
    assert "later" not in block.finding
    assert "probability .80 [.70, .90]" in block.finding
    assert "the diagnostics add +.20 [+.10, +.30]" in block.finding
    assert "The best of 15 single diagnostics there: separation, .80" in block.finding
    assert block.figure is not None
    assert "aria-label" in block.figure
    assert ".80 [.70, .90]" in block.figure


def test_later_steps_are_told_apart_from_the_first_one(make_study: MakeStudy) -> None:
    study = Study(make_study())
    lost = warning_blocks(study, made(early=0.8, late=0.55))[0].finding
    assert lost.startswith("At step 100 failure can be foretold")
    assert "One later step can be judged: it is not above chance there, interval and all." in lost
    kept = warning_blocks(study, made(early=0.8))[0].finding
    assert "One later step can be judged: it is above chance there, too, interval and all." in kept
    longer = made(early=0.8, late=0.55)
    more = longer.auc[longer.auc["step"] == 100].assign(step=300)
    gain = longer.gain.head(1).assign(step=300)
    both = dataclasses.replace(longer, auc=pd.concat([longer.auc, more]), gain=pd.concat([longer.gain, gain]))
    finding = warning_blocks(study, both)[0].finding
    assert "above chance, interval and all, at 1 of the 2 later steps that can be judged" in finding


def test_the_note_says_what_healthy_is(make_study: MakeStudy) -> None:
    note = warning_blocks(Study(make_study()), made())[0].note
    assert "no saturation that had lasted 4 visits" in note
    assert "A run that is not good yet counts as healthy" in note


def test_what_cannot_be_told_is_said(make_study: MakeStudy) -> None:
    study = Study(make_study())
    assert "cannot be told (+.05 [−.05, +.15])" in warning_blocks(study, made(gain=0.05))[0].finding
    chance = warning_blocks(study, made(late=0.58))[0]
    assert chance.finding.startswith("Nothing that was recorded foretells failure better than chance")
    assert ".58 [.48, .68] at step 200" in chance.finding


def test_the_rule_is_told_at_a_step_that_no_estimate_has_chosen(make_study: MakeStudy) -> None:
    study = Study(make_study())
    block = warning_blocks(study, made())[1]
    fixed = "the one nearest a third of the horizon of those that can be judged"
    assert block.finding.startswith(f"Stopping at step 200, {fixed}, would save .60 [.59, .61]")
    assert ".08 [.07, .09] of those that end well (80 healthy runs)" in block.finding
    assert [cell.text for cell in block.tables[0].rows[1]] == ["200", ".60", ".80", ".08", ".40"]
    nothing = warning_blocks(study, made(compute_saved=0.0))[1]
    assert nothing.finding.startswith(f"At step 200, {fixed}, no run would be stopped")
    result = made()
    later = result.rule[result.rule["step"] == 200].assign(step=900, estimate=0.9)
    best = dataclasses.replace(result, rule=pd.concat([result.rule, later]), landmarks=result.landmarks)
    assert warning_blocks(study, best)[1].finding == block.finding
    gone = result.rule["estimate"].where(result.rule["step"] != 200)
    first = dataclasses.replace(result, rule=result.rule.assign(estimate=gone))
    assert warning_blocks(study, first)[1].finding.startswith(
        f"Stopping at step 100, {fixed}, would save .30"
    )


def test_a_study_that_is_too_small_says_why(make_study: MakeStudy) -> None:
    frames = make_study()
    study = Study(frames)
    found = early_warning(
        study.runs,
        frames.records_at_visits(tuple(RECORDED)),
        frames.evaluations,
        frames.events,
        spec=frames.spec,
        rng=np.random.default_rng(0),
    )
    for block in warning_blocks(study, found):
        assert block.finding.startswith("Not estimable: ")
        assert "each must be 10 at least" in block.finding
        assert block.figure is None
        assert len(block.data)
    nothing = Study(make_study(finished=0))
    empty = early_warning(
        nothing.runs,
        nothing.frames.records,
        nothing.frames.evaluations,
        nothing.frames.events,
        spec=frames.spec,
        rng=np.random.default_rng(0),
    )
    assert [block.finding for block in warning_blocks(nothing, empty)] == [
        "Not estimable: no finished runs."
    ] * 2

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from stability.questions.autopsy.estimate import CASE, CONTROL, Autopsies, autopsies
from stability.questions.autopsy.section import NAMES, autopsy_blocks, strip_places
from stability.reading.frames import StudyFrames
from stability.reading.study import Study
from stability.records import EventKind
from stability.spec import Design, Recording

MakeStudy = Callable[..., StudyFrames]


@pytest.fixture
def study(make_study: MakeStudy) -> Study:
    """Runs that collapse at step 500, some of which recover."""
    return Study(make_study(design=Design(points=12, seeds=2, cross=("loss",))))


def opened(study: Study, kind: EventKind = EventKind.COLLAPSE) -> Autopsies:
    frames = study.frames
    spec = frames.spec.model_copy(update={"recording": Recording(every=20, evaluate_every=100)})
    return autopsies(
        study.runs,
        frames.events,
        frames.evaluations,
        frames.records_of,
        spec=spec,
        rng=np.random.default_rng(0),
        kind=kind,
    )


def cases_of(result: Autopsies) -> pd.Series:
    return result.first["group"] == CASE


def test_typical_curves_what_came_first_and_chosen_runs(study: Study) -> None:
    result = opened(study)
    blocks = autopsy_blocks(study, result)
    keys = [block.key for block in blocks]
    assert keys == ["collapse-typical", "collapse-first", *(f"collapse-run-{n}" for n in (1, 2, 3))]
    assert "the share of modes goes from 1 to 0.1" in blocks[0].finding
    assert f"in the median of {result.n_cases} runs" in blocks[0].finding
    ends = study.runs["outcome"].isin(["stable", "learning"]).sum()
    assert result.n_controls <= ends
    assert f"Grey: {result.n_controls} runs that come to no harm" in blocks[0].note
    assert [row[0].text for row in blocks[1].tables[0].rows] == [
        name.removesuffix(" (log)") for name in NAMES.values()
    ]
    assert all(block.figure is not None and "<svg" in block.figure for block in blocks)


def test_a_chosen_run_is_shown_with_its_pictures_around_the_onset(study: Study) -> None:
    result = opened(study)
    blocks = {block.key: block for block in autopsy_blocks(study, result)}
    block = blocks["collapse-run-2"]
    assert "seen at step 500 and is over 200 steps later" in block.finding
    assert "recovered" in block.note
    assert "dotted: the recovery" in block.note
    assert block.figure is not None
    alts = re.findall(r'<img src="data:image/png;base64,[^"]+" alt="([^"]+)"', block.figure)
    assert alts == [
        f"8 generated images at step {step}, {words}"
        for step, words in (("400", "before"), ("500", "onset"), ("600", "after"), ("1,000", "last"))
    ]
    assert set(block.data["quantity"]) == set(NAMES)
    assert block.data["offset"].min() < 0 < block.data["offset"].max()


def test_a_saturation_is_told_in_its_own_words(study: Study) -> None:
    blocks = autopsy_blocks(study, opened(study, EventKind.SATURATION))
    assert blocks[0].question == "What do runs look like before and after a saturation?"
    assert blocks[-1].finding.endswith("is not over at the end; the run ends saturated.")


def test_a_quantity_that_moves_first_is_named_with_its_control(study: Study) -> None:
    result = opened(study)
    rows = []
    for name in NAMES:
        for group in (CASE, CONTROL):
            moved = name == "grad_norm_d" and group == CASE
            low = 0.6 if moved else 0.0
            rows.append(
                {"quantity": name, "group": group, "estimate": low + 0.1, "ci_low": low, "ci_high": low + 0.3}
                | {"n_points": 9, "n_runs": 18, "reason": ""}
                | dict.fromkeys(("lead_median", "lead_q25", "lead_q75"), 200.0)
            )
    told = dataclasses.replace(result, first=pd.DataFrame(rows))
    finding = autopsy_blocks(study, told)[1].finding
    assert finding == (
        "Moved before a collapse more often than in runs that come to no harm: the discriminator's gradient "
        "norm in .70 [.60, .90] of the runs, 200 steps ahead in the median (in those without harm: "
        ".10 [0, .30])."
    )
    alone = dataclasses.replace(
        told, first=told.first.assign(ci_low=told.first["ci_low"].where(cases_of(told)))
    )
    assert autopsy_blocks(study, alone)[1].finding.startswith("Not estimable: too few runs come to no harm")


def test_a_study_without_collapse_says_so(make_study: MakeStudy) -> None:
    study = Study(make_study(events=False))
    (block,) = autopsy_blocks(study, opened(study))
    assert block.finding == "Not estimable: no run had a collapse after having been good."
    assert block.figure is None


def test_the_filmstrip_s_rows_stand_around_the_onset() -> None:
    steps = [100, 200, 300, 400, 500]
    middle = [(1, "before"), (2, "onset"), (3, "after"), (4, "last")]
    assert strip_places(steps, 300) == middle
    assert strip_places(steps, 100) == [(0, "onset"), (1, "after"), (4, "last")]
    assert strip_places(steps, 500) == [(3, "before"), (4, "onset")]
    assert strip_places([], 100) == []

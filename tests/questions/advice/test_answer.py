from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made_advice import ADVICE

from stability.questions.advice.answer import Change
from stability.questions.advice.chances import NEAREST, no_brier


def test_the_whole_answer_in_words() -> None:
    assert str(ADVICE).splitlines() == [
        "loss hinge, lr 2e-4",
        "answer   cannot tell: of the 4 nearest runs "
        "2 were still learning at step 2,000, 1 succeeded and 1 failed",
        "chance   31% to end stable or nearly so within 2,000 steps, at least 14% (95% bound), "
        "by 128 runs at 64 points, averaged over beta1 and batchnorm",
        "coarser  loss hinge, batchnorm none alone: 40% (20 to 60%), by 64 runs at 32 points",
        "tested   on points of loss hinge that were left out, Brier score 0.18, "
        "better than the overall rate's 0.24 (0 is best)",
        "nearest  p003-hinge-s0  collapsed  as asked",
        "nearest  p009-hinge-s1  stable  lr 3.1e-4, beta1 0.3",
        "nearest  p010-hinge-s0  learning  lr 1e-4, beta1 0.9",
        "nearest  p010-hinge-s1  learning  lr 1e-4, beta1 0.9",
        "wrong    of the 4 nearest runs 2 still learning at step 2,000, 1 collapsed; loss spike in 2",
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
    text = str(doubtful)
    assert "Brier score 0.18, not surely better than the overall rate's 0.24 (0 is best)\n" in text
    assert "change   loss hinge -> minimax: 40%, at least 20%; that it is higher there is not sure\n" in text
    assert "wrong    nothing: all of the 4 nearest runs succeeded\n" in text
    assert "change   no single change is seen to raise it\n" in str(replace(ADVICE, change=None))


def test_of_many_that_are_as_near_some_are_named_and_all_counted() -> None:
    nearest = pd.concat([ADVICE.nearest] * 3, ignore_index=True)
    lines = [
        line for line in str(replace(ADVICE, nearest=nearest)).splitlines() if line.startswith("nearest")
    ]
    assert len(lines) == NEAREST + 1
    assert lines[-1] == "nearest  and 4 more"


@pytest.mark.parametrize(
    ("low", "high", "ends", "verdict"),
    [
        (0.51, 0.9, ["stable"], "likely"),
        (0.5, 0.9, ["stable"], "cannot tell"),
        (0.1, 0.49, ["noise"], "unlikely"),
        (0.1, 0.5, ["noise"], "cannot tell"),
        (0.1, 0.49, ["noise", "learning"], "unlikely"),
        (0.1, 0.49, ["noise", "learning", "learning"], "cannot tell"),
        (0.51, 0.9, ["stable", "learning", "learning"], "likely"),
        (np.nan, np.nan, ["noise"], "cannot tell"),
    ],
)
def test_a_verdict_is_what_a_bound_says(low: float, high: float, ends: list[str], verdict: str) -> None:
    nearest = pd.DataFrame({"run": "p0", "outcome": ends, "distance": 0.0, "differs": "", "reason": ""})
    assert replace(ADVICE, ci_low=low, ci_high=high, nearest=nearest).verdict == verdict


def test_a_verdict_and_a_change_name_the_horizon() -> None:
    likely = str(replace(ADVICE, ci_low=0.6, nearest=ADVICE.nearest[1:2]))
    assert "\nanswer   likely to succeed within 2,000 steps: of the 1 nearest run 1 succeeded\n" in likely
    assert "80%, at least 61%\n" in likely
    learning = str(replace(ADVICE, nearest=ADVICE.nearest[1:]))
    assert "80%, at least 61%; this is for a training of 2,000 steps\n" in learning
    outside = replace(ADVICE, reason="outside", nearest=ADVICE.nearest[:0], brier=no_brier(), ci_low=np.nan)
    assert str(outside).splitlines()[1:] == ["answer   cannot tell: outside"]


def test_a_score_that_is_worse_is_told_so() -> None:
    brier = ADVICE.brier.assign(estimate=[0.25, 0.24, 0.01], ci_high=[0.3, 0.3, 0.02])
    text = str(replace(ADVICE, own={}, brier=brier))
    assert "on points that were left out, Brier score 0.25, worse than the overall rate's 0.24 (0 is" in text


def test_a_coarser_setting_stands_beside_a_bound_that_says_less() -> None:
    assert "coarser" in str(ADVICE)
    assert "coarser" in str(replace(ADVICE, ci_low=0.2, ci_high=0.61))
    assert "coarser" not in str(replace(ADVICE, ci_low=0.2, ci_high=0.6))

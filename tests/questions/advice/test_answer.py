from __future__ import annotations

from dataclasses import replace

import pandas as pd
from made_advice import ADVICE

from stability.questions.advice.answer import Change
from stability.questions.advice.chances import NEAREST


def test_the_whole_answer_in_words() -> None:
    assert str(ADVICE).splitlines() == [
        "loss hinge, lr 2e-4",
        "chance   31% to end stable or nearly so, at least 14% (95% bound), by 128 runs at 64 points, "
        "averaged over beta1 and batchnorm",
        "tested   on points left out, Brier score 0.18, of the overall rate 0.24: better",
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
    assert "0.24: not surely better: the parameters that were set tell little\n" in text
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

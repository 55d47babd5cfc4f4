"""An answer as `stability advise` gives it."""

from __future__ import annotations

import pandas as pd

from stability.questions.advice.answer import Advice, Change, Coarser
from stability.questions.advice.chances import SCORES
from stability.questions.advice.estimate import NEAREST_COLUMNS, WRONG_COLUMNS

ADVICE = Advice(
    setting={"loss": "hinge", "lr": 2e-4},
    source="",
    folder="results/my study",
    averaged=("beta1", "batchnorm"),
    horizon=2000,
    reason="",
    n_points=64,
    n_runs=128,
    unit="point",
    nearest=pd.DataFrame(
        [
            ("p003-hinge-s0", "collapsed", 0.0, "", "one image"),
            ("p009-hinge-s1", "stable", 0.123, "lr 3.1e-4, beta1 0.3", ""),
            ("p010-hinge-s0", "learning", 0.2, "lr 1e-4, beta1 0.9", ""),
            ("p010-hinge-s1", "learning", 0.2, "lr 1e-4, beta1 0.9", ""),
        ],
        columns=list(NEAREST_COLUMNS),
    ),
    wrong=pd.DataFrame(
        [("outcome", "learning", 2), ("event", "loss_spike", 2), ("outcome", "collapsed", 1)],
        columns=list(WRONG_COLUMNS),
    ),
    chance=0.314,
    ci_low=0.149,
    ci_high=0.52,
    brier=pd.DataFrame({"score": SCORES, "estimate": [0.18, 0.24, -0.06], "ci_high": [0.2, 0.25, -0.03]}),
    own={"loss": "hinge"},
    coarser=Coarser({"loss": "hinge", "batchnorm": "none"}, 0.4, 0.2, 0.6, 32, 64),
    change=Change("lr", 9e-4, 0.8, 0.61),
)

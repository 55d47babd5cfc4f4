"""Which levels of the main factor differ, and in how far?"""

from __future__ import annotations

import pandas as pd

from stability.questions.comparison.estimate import Comparison, comparisons
from stability.questions.comparison.same_runs import same_runs
from stability.questions.comparison.section import comparisons_blocks
from stability.questions.question import Asked, Question
from stability.reading.factors import crossed_factors


def _estimated(asked: Asked) -> tuple[tuple[Comparison, ...], pd.DataFrame]:
    frames = asked.study.frames
    crossed, horizon = crossed_factors(frames.spec), frames.plan.horizon
    same = same_runs(asked.shared, frames.source, asked.factor, crossed, horizon=horizon)
    return comparisons(asked.study) if asked.study.main_factor else (), same


QUESTION = Question(("comparisons", "same_runs"), _estimated, comparisons_blocks, "differences")

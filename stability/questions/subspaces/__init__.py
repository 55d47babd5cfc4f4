"""Do the rates hold on narrower parts of the space?"""

from __future__ import annotations

from stability.questions.question import Question
from stability.questions.subspaces.estimate import subbox_rates
from stability.questions.subspaces.section import subbox_blocks

QUESTION = Question(
    ("subboxes",),
    lambda asked: (subbox_rates(asked.shared, asked.study.frames.spec, asked.factor),),
    lambda study, rates: subbox_blocks(study, rates, study.compared),
)

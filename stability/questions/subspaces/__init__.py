"""How do rates move along each parameter, and do the levels' hold on narrower parts of the space?"""

from __future__ import annotations

from stability.questions.question import Question
from stability.questions.subspaces.estimate import rates_along, subbox_rates
from stability.questions.subspaces.section import along_blocks, subbox_blocks

QUESTION = Question(
    ("subboxes",),
    lambda asked: (subbox_rates(asked.shared, asked.study.frames.spec, asked.factor),),
    lambda study, rates: subbox_blocks(study, rates, study.compared),
)

ALONG = Question(
    ("rates_along",),
    lambda asked: (rates_along(asked.study.runs, asked.study.frames.spec),),
    along_blocks,
)

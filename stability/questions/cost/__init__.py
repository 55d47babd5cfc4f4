"""What does stability cost?"""

from __future__ import annotations

from stability.questions.cost.estimate import costs_by
from stability.questions.cost.section import costs_blocks
from stability.questions.question import Question

QUESTION = Question(
    ("costs",),
    lambda asked: (costs_by(asked.shared, asked.study.frames.events, asked.factor),),
    lambda study, costs: costs_blocks(study, costs, study.compared),
)

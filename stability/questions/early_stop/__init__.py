"""What would an early stop have stopped, and how much of it wrongly?"""

from __future__ import annotations

from stability.questions.early_stop.estimate import stops_of
from stability.questions.early_stop.section import early_stop_blocks
from stability.questions.question import Question

QUESTION = Question(
    ("early_stops",),
    lambda asked: (stops_of(asked.study.frames, asked.study.runs),),
    early_stop_blocks,
    "early stops",
)

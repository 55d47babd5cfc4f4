"""What do runs look like around a collapse or a saturation, and what moves first?"""

from __future__ import annotations

from stability.questions.autopsy.estimate import autopsies_of
from stability.questions.autopsy.section import autopsy_blocks
from stability.questions.question import Question

QUESTION = Question(
    ("autopsies",),
    lambda asked: (autopsies_of(asked.study),),
    lambda study, kinds: [block for autopsies in kinds for block in autopsy_blocks(study, autopsies)],
    "how failures begin",
)

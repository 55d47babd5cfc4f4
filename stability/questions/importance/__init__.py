"""Which hyperparameters matter?"""

from __future__ import annotations

from stability.questions.importance.section import importance_blocks
from stability.questions.question import Question

QUESTION = Question(("importance",), lambda asked: (asked.importance,), importance_blocks)

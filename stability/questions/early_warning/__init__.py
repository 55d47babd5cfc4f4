"""Which diagnostic foretells how a healthy run ends?"""

from __future__ import annotations

from stability.questions.early_warning.estimate import EarlyWarning, early_warning
from stability.questions.early_warning.section import warning_blocks
from stability.questions.question import Asked, Question, seeded
from stability.vocabulary.metrics import RECORDED


def _estimated(asked: Asked) -> tuple[EarlyWarning]:
    study, frames = asked.study, asked.study.frames
    records = frames.records_at_visits(list(RECORDED))
    found = early_warning(
        study.runs, records, frames.evaluations, frames.events, spec=frames.spec, rng=seeded(4)
    )
    return (found,)


QUESTION = Question(("warning",), _estimated, warning_blocks, "early warnings")

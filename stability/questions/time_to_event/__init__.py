"""How long do runs go without an event, who recovers, what comes first?"""

from __future__ import annotations

from stability.questions.question import Asked, Question
from stability.questions.time_to_event.estimate import Survival, time_to_event
from stability.questions.time_to_event.incidence import Incidence, incidence
from stability.questions.time_to_event.section import survival_blocks
from stability.reading.factors import baseline


def _estimated(asked: Asked) -> tuple[Survival, Incidence]:
    frames, factor = asked.study.frames, asked.factor
    happened = asked.shared, frames.events, frames.evaluations, factor
    return time_to_event(*happened, baseline=baseline(frames.spec, factor)), incidence(*happened)


QUESTION = Question(("survival", "incidence"), _estimated, survival_blocks, "the time to collapse")

"""Does the ranking depend on thresholds or on the horizon?"""

from __future__ import annotations

from stability.questions.question import Asked, Question, seeded
from stability.questions.sensitivity.estimate import Sensitivity, sensitivity
from stability.questions.sensitivity.section import sensitivity_blocks
from stability.reading.histories import histories_of


def _estimated(asked: Asked) -> tuple[Sensitivity]:
    frames = asked.study.frames
    found = sensitivity(
        asked.shared,
        histories_of(frames),
        factor=asked.factor,
        thresholds=frames.spec.outcomes,
        horizon=frames.plan.horizon,
        rng=seeded(5),
    )
    return (found,)


QUESTION = Question(("sensitivity",), _estimated, sensitivity_blocks, "other thresholds")

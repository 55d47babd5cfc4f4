"""Is it the configuration or the seed, and what is the best of k points?"""

from __future__ import annotations

from stability.questions.question import Question
from stability.questions.seed_or_configuration.estimate import variance_shares
from stability.questions.seed_or_configuration.section import variance_blocks
from stability.statistics.best_of_k import best_of

QUESTION = Question(
    ("variance", "budget"),
    lambda asked: (variance_shares(asked.shared, asked.factor), best_of(asked.shared, asked.factor)),
    variance_blocks,
)

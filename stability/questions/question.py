"""What a question of the page is: what it estimates of a study, and how it tells it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from stability.page_kit.blocks import Block
from stability.reading.study import Study

if TYPE_CHECKING:
    from stability.questions.importance.estimate import Importance

SEED = 20
"""Of everything that draws: the same study gives the same numbers."""


def seeded(part: int) -> np.random.Generator:
    """A stream of its own for every part, so that a change in one moves no other."""
    return np.random.default_rng([SEED, part])


@dataclass(frozen=True)
class Asked:
    """What is asked: a study, whose main factor's levels are compared where they share settings."""

    study: Study
    importance: Importance
    """Estimated before all others: maps are drawn over what matters most."""

    @property
    def factor(self) -> str:
        """The main factor."""
        return self.study.compared

    @cached_property
    def shared(self) -> pd.DataFrame:
        """The runs over which levels are compared; what looks at single runs takes all of them."""
        return self.study.comparable(self.factor)


@dataclass(frozen=True, slots=True)
class Question:
    """One question, as its folder declares it."""

    names: tuple[str, ...]
    """Of its results, which name their tables in JSON and CSV."""
    estimate: Callable[[Asked], tuple[Any, ...]]
    """The results, in the order of their names: frames, or dataclasses of frames."""
    blocks: Callable[..., Iterable[Block]]
    """How the page tells them; takes the study and the results."""
    told: str = ""
    """What is being estimated, where it takes a while."""

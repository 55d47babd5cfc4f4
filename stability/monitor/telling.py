"""How a monitor speaks: through the log, everything once; and what it does about its own failures."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

LOG = logging.getLogger("stability")
"""Warnings go to stderr where nobody has set up logging; what is no warning takes `logging.INFO`."""
MOST_FAILURES = 3
"""So many times a part may fail before it is given up."""


class Telling:
    """Says things of one run; attempts what may fail, so that a training goes on without it."""

    def __init__(self, name: str) -> None:
        """`name` stands before everything that is said."""
        self.name = name
        self.warned: list[str] = []
        """What has been said as a warning, such as what is missing."""
        self._failures: Counter[str] = Counter()

    def note(self, words: str) -> None:
        """Say something that is no cause for concern."""
        LOG.info("%s: %s", self.name, words)

    def alarm(self, words: str) -> None:
        """Say what happens in the training, however often."""
        LOG.warning("%s: %s", self.name, words)

    def warn(self, words: str) -> None:
        """Say what the monitor lacks or cannot do, once."""
        if words not in self.warned:
            self.warned.append(words)
            LOG.warning("%s: %s", self.name, words)

    def attempt(self, what: str, part: Callable[[], None]) -> None:
        """Do it; a failure is told and left out, and after a few times it is not attempted any more."""
        if self._failures[what] >= MOST_FAILURES:
            return
        try:
            part()
        except Exception as error:
            self._failures[what] += 1
            self.warn(f"could not {what}, which is left out: {type(error).__name__}: {error}")

"""A job of a cluster to which something happens in the midst of its training, whatever the machine's pace."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

from stability.runner.engines import slurm_job
from stability.runner.engines.slurm_job import TrainCohorts

NUMBER, ONCE, STARTS = "TESTS_SIGNAL", "TESTS_SIGNAL_ONCE", "TESTS_STARTS"
"""Variables: the signal, a file that whoever sends it removes, and how often a job is started."""
HELD = "TESTS_HELD"
"""Variable: a file that holds jobs up for as long as it is there."""


class Interrupted(TrainCohorts):
    """Sends itself a signal once it has trained a little, or with 0 waits for one, unless another did."""

    def __call__(self) -> None:
        class Diary(slurm_job._Diary):
            def trained(self, member_steps: int) -> None:
                super().trained(member_steps)
                if not was_first():
                    return
                os.kill(os.getpid(), int(os.environ[NUMBER]))
                while os.environ[NUMBER] == "0" and not self.was_called():
                    time.sleep(0.05)

        slurm_job._Diary = Diary  # type: ignore[misc]
        super().__call__()


class Held(TrainCohorts):
    """Says that it has trained a little, and goes on when it is let or asked to stop."""

    def __call__(self) -> None:
        class Diary(slurm_job._Diary):
            def trained(self, member_steps: int) -> None:
                super().trained(member_steps)
                self.write()
                while Path(os.environ[HELD]).exists() and not self.claim.should_stop():
                    time.sleep(0.05)
                self._said = -math.inf  # whether it is to stop is asked next

        slurm_job._Diary = Diary  # type: ignore[misc]
        super().__call__()


def was_first() -> bool:
    try:
        Path(os.environ[ONCE]).unlink()
    except FileNotFoundError:
        return False
    return True


def arrange(number: int, once: Path) -> dict[str, str]:
    """What is to stand in the environment of the jobs."""
    once.touch()
    return {NUMBER: str(int(number)), ONCE: str(once)}

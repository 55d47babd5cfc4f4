"""A job of a cluster to which something happens in the midst of its training, whatever the machine's pace."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from stability.runner.engines import slurm_job
from stability.runner.engines.slurm_job import TrainCohorts

NUMBER, ONCE = "TESTS_SIGNAL", "TESTS_SIGNAL_ONCE"
"""Variables: the signal, and a file that whoever sends it removes."""


class Interrupted(TrainCohorts):
    """Sends its own process a signal once it has trained a little, unless another has had it."""

    def __call__(self) -> None:
        class Diary(slurm_job._Diary):
            def trained(self, member_steps: int) -> None:
                super().trained(member_steps)
                if was_first():
                    os.kill(os.getpid(), int(os.environ[NUMBER]))

        slurm_job._Diary = Diary  # type: ignore[misc]
        super().__call__()


def was_first() -> bool:
    try:
        Path(os.environ[ONCE]).unlink()
    except FileNotFoundError:
        return False
    return True


def arrange(number: signal.Signals, once: Path) -> dict[str, str]:
    """What is to stand in the environment of the jobs."""
    once.touch()
    return {NUMBER: str(int(number)), ONCE: str(once)}

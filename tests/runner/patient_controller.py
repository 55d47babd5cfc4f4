"""submitit's controller of a local job, whose time runs out when it is in the midst of its training."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from interrupted_job import ONCE, STARTS
from submitit.local.local import Controller

LONG = 3_600
"""Seconds that a job has, started again."""


class Patient(Controller):
    """Whose clock waits for the job that is to be interrupted."""

    def wait(self, freq: int = 24) -> object:
        """Until the job has ended, or as submitit does where its time is over."""
        once, seconds = Path(os.environ[ONCE]), LONG
        while once.exists() and self.tasks[0].poll() is None:
            time.sleep(0.05)
            seconds = 1
        self.timeout_s = self.signal_delay_s + seconds
        return super().wait(freq)


if __name__ == "__main__":
    Patient(Path(sys.argv[1])).run(int(os.environ[STARTS]))

"""A driver in a process of its own, to be killed: `python slurm_driver.py FOLDER WHERE OVERRIDE ...`.

It prints a line whenever there is something to say. WHERE is `anywhere`, or `unnoted`: it kills itself when
it has sent its first jobs and has not noted their numbers yet.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from small_studies import Listener, ring_spec

from stability.runner.engines import slurm
from stability.runner.engines.options import Cluster, SlurmOptions
from stability.runner.materials import Resources
from stability.runner.study import StudyRunner
from stability.store.claims import Claim


class Talker(Listener):
    """Says that something was said."""

    def planned(self, *said: Any) -> None:
        print("planned", flush=True)

    def note(self, text: str) -> None:
        print("note", flush=True)

    def trained(self, member_steps: int) -> None:
        print("trained", flush=True)

    def finished(self, *said: Any) -> None:
        print("finished", flush=True)


def die(*_: object) -> None:
    """Not to come back."""
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    slurm.LAG_SECONDS, slurm.LOOK_SECONDS = 0.0, 0.1
    folder, where, *overrides = sys.argv[1:]
    if where == "unnoted":
        Claim.sent_as = die  # type: ignore[method-assign]
    cluster = Cluster(SlurmOptions(cluster="local", array=2))
    StudyRunner(ring_spec(*overrides), Path(folder), Resources(workers=None), Talker(), cluster=cluster).run()

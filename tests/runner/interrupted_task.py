"""Tasks of Ray's to which something happens in the midst of their training, whatever the machine's pace."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
import ray
from interrupted_job import was_first

from stability.runner import job
from stability.runner.ends import End
from stability.runner.engines import ray as engine

AT_WORK = "at work on node "
"""How a stranded task begins a note, which ends with the node's number."""


def patient(*order: Any) -> End:
    """Train a little, and go on when it is told to stop."""

    class Caller(engine._Caller):
        def trained(self, member_steps: int) -> None:
            super().trained(member_steps)
            while not self.stopping:
                self.call()
                time.sleep(0.05)

    return _train(Caller, *order)


def killed(*order: Any) -> End:
    """Train, unless it is the first: that kills its own process after its first checkpoint."""
    return _interrupted(lambda caller: os.kill(os.getpid(), signal.SIGKILL), *order)


def stranded(*order: Any) -> End:
    """Train, unless it is the first: that says after a checkpoint on which node it is, and awaits its end."""
    return _interrupted(_wait, *order)


def _interrupted(happens: Callable[[engine._Caller], None], *order: Any) -> End:
    class Caller(engine._Caller):
        has_checkpoint = False

        def checkpoint(self, content: bytes) -> None:
            super().checkpoint(content)
            self.has_checkpoint = True

        def trained(self, member_steps: int) -> None:
            super().trained(member_steps)
            if self.has_checkpoint and was_first():
                happens(self)

    job.CHECKPOINT_SECONDS = 0.0
    return _train(Caller, *order)


def _train(caller: type[engine._Caller], *order: Any) -> End:
    """In a process that trains other tasks afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_Caller", caller)
        return engine._train(*order)


def _wait(caller: engine._Caller) -> None:
    caller.note(AT_WORK + ray.get_runtime_context().get_node_id())
    caller.call()
    time.sleep(600)

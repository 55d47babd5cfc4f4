"""Ctrl-C and SIGTERM as a flag that a study looks at between records; a second Ctrl-C leaves at once."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from stability.cli.options import Live
    from stability.runner.study import StudyRunner

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
STOPPING = "stopping after this step; Ctrl-C again leaves at once\n"
AT_ONCE = "stopped at once; the same command begins or goes on\n"
STDERR = 2


class Interrupt:
    """Use as a context manager; `received` is the signal that asked to stop, if any."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Interrupt:
        for number in EXIT_CODES:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)
        _say(STOPPING)

    @property
    def exit_code(self) -> int:
        """By convention 128 and the signal's number."""
        return EXIT_CODES[self.received or signal.SIGINT]

    def __call__(self) -> bool:
        """Whether to stop."""
        return self.received is not None


@contextlib.contextmanager
def leaving_at_once() -> Iterator[None]:
    """Let either signal end this process with its exit code while there is nothing to keep, as in start-up.

    Not by an exception: the seconds of imports may take one for something else, or tell it at length.
    """
    before = {number: signal.signal(number, _leave) for number in EXIT_CODES}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def train(runner: StudyRunner, export: Live | None) -> None:
    """Run a study that can be interrupted, and is then left with the exit code of the signal."""
    from rich.console import Console

    from stability.cli.display import Display
    from stability.cli.export import exporting

    interrupt, folder = Interrupt(), runner.folder
    try:
        with Display(Console()) as display, interrupt:
            runner.reporter, runner.should_stop = exporting(export, folder, display), interrupt
            complete = runner.run()
    except KeyboardInterrupt:
        typer.echo(f"stopped at once; the same command goes on from the last checkpoint ({folder})", err=True)
        raise typer.Exit(interrupt.exit_code) from None
    if not complete and interrupt.received is not None:
        typer.echo(f"stopped; the same command goes on where this left off ({folder})", err=True)
        raise typer.Exit(interrupt.exit_code)


def _leave(number: int, frame: FrameType | None) -> None:
    _say(AT_ONCE)
    os._exit(EXIT_CODES[signal.Signals(number)])


def _say(text: str) -> None:
    """Write to stderr at once and unbuffered: a handler may interrupt a buffered write to it.

    On a terminal it begins a new line, for the live one stands there.
    """
    with contextlib.suppress(OSError):
        os.write(STDERR, f"\n{text}".encode() if os.isatty(STDERR) else text.encode())

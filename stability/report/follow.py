"""A page that follows a study under way: written again when more of it has finished, until all has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep

from stability.questions.all import Tell, silent
from stability.report.write import write
from stability.store.progress import study_status


def follow(
    folder: Path,
    out: Path | None,
    *,
    every: int,
    map_over: str | None = None,
    tell: Tell = silent,
    wait: Callable[[float], object] = sleep,
) -> Iterator[Path]:
    """Write the page, look every so many seconds whether runs have finished since, and write it again.

    Yields its place each time. The page that is written when the study is complete follows nothing any more.
    Raises what `write` does.
    """
    written: tuple[int, bool] | None = None
    while True:
        state = study_status(folder)
        complete = bool(state["complete"])
        now = (state["runs_finished"], complete)
        if now != written:
            yield write(
                [folder], "html", out, map_over=map_over, tell=tell, follow=None if complete else every
            )
            written = now
        if complete:
            return
        wait(every)

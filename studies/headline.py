"""Prints the table of the README: how the runs of a study ended under each loss, with 95% intervals.

`python studies/headline.py results/losses`. The units are points; each interval stands by itself.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from stability.page_kit.estimate import Estimate, rows_of
from stability.reading.frames import load
from stability.reading.study import Study
from stability.records import SUCCESSES, Outcome
from stability.statistics.rates import rate

ENDS: dict[str, Collection[Outcome]] = {
    "succeeds": SUCCESSES,
    "mode collapse": (Outcome.COLLAPSED, Outcome.PARTIAL_COLLAPSE),
    "discriminator wins": (Outcome.SATURATED, Outcome.DOMINATED),
    "diverges": (Outcome.DIVERGED,),
    "oscillates": (Outcome.OSCILLATING,),
    "noise": (Outcome.NOISE,),
    "still learning": (Outcome.LEARNING,),
}


def headline(results: Path) -> str:
    """A row a loss, the one that succeeds most often first."""
    study = Study(load(results))
    losses = study.runs.groupby("loss", sort=False)
    rows = sorted(((loss, _cells(runs)) for loss, runs in losses), key=lambda row: -row[1][0].value)
    lines = [f"| `{loss}` | {' | '.join(cell.percent() for cell in cells)} |" for loss, cells in rows]
    return "\n".join([f"| loss | {' | '.join(ENDS)} |", "|---|" + "---|" * len(ENDS), *lines])


def _cells(runs: pd.DataFrame) -> list[Estimate]:
    return [Estimate.of(rows_of(rate(runs, runs["outcome"].isin(ends)))[0]) for ends in ENDS.values()]


if __name__ == "__main__":
    print(headline(Path(sys.argv[1])))

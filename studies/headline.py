"""Prints the table of the README: how the runs of a study ended under each loss, with 95% intervals.

`python studies/headline.py results/losses`. The units are points; each interval stands by itself.
"""

from __future__ import annotations

import sys
from pathlib import Path

from stability.page_kit.tables import ENDS
from stability.questions.outcomes.section import rate_block
from stability.reading.frames import load
from stability.reading.study import Study
from stability.statistics.rates import RATED, rates_by


def headline(results: Path) -> str:
    """A row a loss, the one that succeeds most often first."""
    study = Study(load(results))
    table = rate_block(study, "loss", rates_by(study.comparable("loss"), "loss", RATED)).tables[0]
    width = 1 + len(ENDS)
    rows = [[f"{cell.text} {cell.detail}" for cell in row[1:width]] for row in table.rows]
    lines = [
        f"| `{row[0].text}` | {' | '.join(cells)} |" for row, cells in zip(table.rows, rows, strict=True)
    ]
    heads = " | ".join(head.text for head in table.heads[:width])
    return "\n".join([f"| {heads} |", "|---|" + "---|" * len(ENDS), *lines])


if __name__ == "__main__":
    print(headline(Path(sys.argv[1])))

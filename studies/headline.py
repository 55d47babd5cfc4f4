"""Prints the table of the README: how the runs of a study ended under each loss, with 95% intervals.

`python studies/headline.py results/losses`. The units are points; each interval stands by itself. Of a study
of variants it says beside each how many percentage points more or fewer succeed than under the baseline: these
intervals hold for all at once, and bold is what Holm's p-values tell apart.
"""

from __future__ import annotations

import sys
from pathlib import Path

from stability.page_kit.estimate import Row, rows_of
from stability.page_kit.tables import ENDS
from stability.questions.comparison.estimate import comparisons
from stability.questions.outcomes.section import rate_block
from stability.questions.outcomes.verdict import ALPHA
from stability.reading.factors import baseline
from stability.reading.frames import load
from stability.reading.study import Study
from stability.statistics.rates import RATED, rates_by


def headline(results: Path) -> str:
    """A row a level, the one that succeeds most often first."""
    study = Study(load(results))
    factor, width = study.compared, 1 + len(ENDS)
    table = rate_block(study, factor, rates_by(study.comparable(factor), factor, RATED)).tables[0]
    heads = [head.text for head in table.heads[:width]]
    rows = [[f"{cell.text} {cell.detail}" for cell in row[1:width]] for row in table.rows]
    names = [row[0].text for row in table.rows]
    if against := baseline(study.frames.spec, factor):
        pairs = {row["first"]: row for row in rows_of(comparisons(study)[0].pairs)}
        heads.insert(2, f"than `{against}`")
        for name, cells in zip(names, rows, strict=True):
            cells.insert(1, difference(pairs[name]) if name in pairs else "")
    lines = [f"| `{name}` | {' | '.join(cells)} |" for name, cells in zip(names, rows, strict=True)]
    return "\n".join([f"| {' | '.join(heads)} |", "|---|" + "---|" * (len(heads) - 1), *lines])


def difference(pair: Row) -> str:
    """In percentage points, with its interval; bold where it is told from none."""
    value, low, high = (
        f"{100 * pair[name]:+.0f}".replace("-", "−") for name in ("estimate", "ci_low", "ci_high")
    )
    text = f"{value} ({low} to {high})"
    return f"**{text}**" if pair["p_holm"] <= ALPHA else text


if __name__ == "__main__":
    print(headline(Path(sys.argv[1])))

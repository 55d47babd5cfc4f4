"""Prints the table of the README: how the runs of a study ended under each loss, with 95% intervals.

`python studies/headline.py results/losses`. The units are points; each interval stands by itself. Of a study
of variants it says beside each how many percentage points more or fewer of its runs succeed than the
baseline's, with intervals that hold for all at once, and at how many points it ended with the lower FID;
bold is what Holm's p-values tell apart.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from stability.page_kit.tables import ENDS
from stability.questions.comparison.estimate import LOWER_FID, comparisons
from stability.questions.outcomes.section import rate_block
from stability.questions.outcomes.verdict import ALPHA
from stability.reading.factors import baseline
from stability.reading.frames import load
from stability.reading.study import Study
from stability.statistics.rates import RATED, SUCCESS, rates_by


def headline(results: Path) -> str:
    """A row a level, the one that succeeds most often first."""
    study = Study(load(results))
    factor, width = study.compared, 1 + len(ENDS)
    table = rate_block(study, factor, rates_by(study.comparable(factor), factor, RATED)).tables[0]
    heads = [head.text for head in table.heads[:width]]
    rows = [[f"{cell.text} {cell.detail}" for cell in row[1:width]] for row in table.rows]
    names = [row[0].text for row in table.rows]
    if against := baseline(study.frames.spec, factor):
        compared = {one.event: one.pairs.set_index("first") for one in comparisons(study)}
        heads[2:2] = [f"than `{against}`", "lower FID at"]
        for name, cells in zip(names, rows, strict=True):
            cells[1:1] = ["", ""] if name == against else _beside(compared, name)
    lines = [f"| `{name}` | {' | '.join(cells)} |" for name, cells in zip(names, rows, strict=True)]
    return "\n".join([f"| {' | '.join(heads)} |", "|---|" + "---|" * (len(heads) - 1), *lines])


def _beside(compared: dict[str, pd.DataFrame], name: str) -> list[str]:
    """How far a level's successes are from the baseline's, and where it ended with the lower FID."""
    success, lower = (compared[event].loc[name] for event in (SUCCESS, LOWER_FID))
    ends = [f"{100 * success[end]:+.0f}".replace("-", "−") for end in ("estimate", "ci_low", "ci_high")]
    told = {"{} ({} to {})".format(*ends): success, f"{lower['n_first']} of {lower['n_disagree']}": lower}
    return [f"**{text}**" if pair["p_holm"] <= ALPHA else text for text, pair in told.items()]


if __name__ == "__main__":
    print(headline(Path(sys.argv[1])))

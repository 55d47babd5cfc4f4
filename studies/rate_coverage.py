"""Measures how often the intervals of rates cover.

`python studies/rate_coverage.py` prints the table of docs/measured.md: least, median and largest coverage, in
percent, over all shares and correlations between the runs of a point.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from stability.statistics.simulated import coverage, drawn_counts

POINTS = (2, 4, 6, 8, 12, 16, 32, 64)
RUNS = (1, 2, 5, 10)
SHARES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
CORRELATIONS = (0.0, 0.1, 0.3, 0.7, 0.95)
STUDIES = 10_000


def cell(points: int, runs: int) -> str:
    """Least / median / largest coverage."""
    rng = np.random.default_rng([points, runs])
    found = [
        100 * coverage(drawn_counts(rng, share, correlation, (STUDIES, points), runs), runs, share)
        for share, correlation in product(SHARES, CORRELATIONS if runs > 1 else (0.0,))
    ]
    return f"{min(found):.1f} / {np.median(found):.1f} / {max(found):.1f}"


if __name__ == "__main__":
    print("| points |" + "".join(f" {runs} a point |" for runs in RUNS))
    print("|---|" + "---|" * len(RUNS))
    for points in POINTS:
        print(f"| {points} |" + "".join(f" {cell(points, runs)} |" for runs in RUNS), flush=True)

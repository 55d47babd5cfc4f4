"""Which runs, and which of their pictures, a reader should see. Frame in, frame out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from stability.records import Outcome

NEAREST = (Outcome.COLLAPSED, Outcome.PARTIAL_COLLAPSE)
"""Of these the run nearest to the data is shown: there it is plainest what its pictures have in common."""
MEDIANS = {"fid_excess": "median FID excess", "step": "median last step"}


def typical_runs(runs: pd.DataFrame, *, most: int = len(Outcome)) -> pd.DataFrame:
    """The most typical run of every outcome: stable first, then the more frequent outcomes first.

    Typical is the run with the (lower) median FID excess of its outcome, or where no run of the outcome has
    one, with the median last step; of a collapse, partial or not, the one with the lowest FID excess.
    Adds the columns `why` and `n_alike`, the number of runs with its outcome.
    """
    outcomes, names = (runs[column].to_numpy(dtype=object) for column in ("outcome", "run"))
    measures = {by: runs[by].to_numpy(dtype=float, na_value=np.nan) for by in ("fid_excess", "step")}
    groups = {outcome: np.flatnonzero(outcomes == outcome) for outcome in dict.fromkeys(outcomes)}
    order = sorted(groups, key=lambda name: (name != Outcome.STABLE, -len(groups[name]), str(name)))
    rows, reasons = [], []
    for alike in (groups[outcome] for outcome in order[:most]):
        by = "fid_excess" if np.isfinite(measures["fid_excess"][alike]).any() else "step"
        known = alike[np.isfinite(measures[by][alike])]
        ranked = sorted(known, key=lambda row: (measures[by][row], names[row]))
        nearest = outcomes[alike[0]] in NEAREST and by == "fid_excess"
        rows.append(ranked[0 if nearest else (len(ranked) - 1) // 2])
        how = "lowest FID excess" if nearest else MEDIANS[by]
        reasons.append("the only one" if len(alike) == 1 else f"{how} of the {len(alike)}")
    sizes = [len(groups[outcome]) for outcome in order[:most]]
    return runs.iloc[rows].assign(why=reasons, n_alike=sizes).reset_index(drop=True)


def filmstrip_rows(steps: Sequence[int], moments: Iterable[float], *, most: int = 8) -> list[int]:
    """Which visits to show: the first, those around each moment, the last, and evenly spread ones between.

    `steps` are the visits' steps, rising; `moments` the steps at which something happened, the most
    important first. Returns positions in `steps`, rising, at most `most`.
    """
    if len(steps) <= most:
        return list(range(len(steps)))
    chosen = [0, len(steps) - 1]
    for moment in moments:
        after = int(np.searchsorted(steps, moment))
        chosen += [after, after - 1, after + 1]
    spread = np.linspace(0, len(steps) - 1, most).round().astype(int)
    wanted = [row for row in [*chosen, *spread.tolist(), *range(len(steps))] if 0 <= row < len(steps)]
    return sorted(list(dict.fromkeys(wanted))[:most])

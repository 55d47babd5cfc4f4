"""Which runs, and which of their pictures, a reader should see. Frame in, frame out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from stability.records import Outcome


def typical_runs(runs: pd.DataFrame, *, most: int = len(Outcome)) -> pd.DataFrame:
    """The most typical run of every outcome: stable first, then the more frequent outcomes first.

    Typical is the run with the (lower) median FID excess of its outcome, or where no run of the outcome has
    one, with the median last step. Adds the columns `why` and `n_alike`, the number of runs with its outcome.
    """
    sizes = runs["outcome"].value_counts(sort=False)
    order = sorted(sizes.index, key=lambda name: (name != Outcome.STABLE, -sizes[name], str(name)))
    rows = [_typical(runs[runs["outcome"] == outcome]) for outcome in order[:most]]
    return pd.concat(rows, ignore_index=True) if rows else runs.assign(why="", n_alike=0).head(0)


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


def _typical(alike: pd.DataFrame) -> pd.DataFrame:
    by = "fid_excess" if np.isfinite(alike["fid_excess"].astype(float)).any() else "step"
    known = alike[np.isfinite(alike[by].astype(float))]
    ranked = known.sort_values([by, "run"], kind="stable")
    row = ranked.iloc[[(len(ranked) - 1) // 2]]
    label = {"fid_excess": "median FID excess", "step": "median last step"}[by]
    why = "the only one" if len(alike) == 1 else f"{label} of the {len(alike)}"
    return row.assign(why=why, n_alike=len(alike))

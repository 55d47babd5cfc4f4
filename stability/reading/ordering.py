"""Runs in the order of their design, so that what is drawn at random hangs on no frame's order of rows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from stability.reading.factors import crossed_factors, level_text, levels
from stability.spec import StudySpec


def in_design_order(runs: pd.DataFrame, spec: StudySpec) -> pd.DataFrame:
    """Sort runs by point, by the levels of the crossed factors as the study file lists them, and by name."""
    keys: list[np.ndarray] = [runs["point"].to_numpy()]
    for factor in crossed_factors(spec):
        if factor in runs:
            listed = {level: place for place, level in enumerate(levels(spec, factor))}
            keys.append(np.array([listed.get(level_text(level), len(listed)) for level in runs[factor]]))
    names = runs["run"].to_numpy(dtype=str)
    return runs.iloc[np.lexsort((names, *reversed(keys)))]

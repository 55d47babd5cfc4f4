"""What a page needs to answer as `advise` does, without Python: what can be asked, and what was fitted.

Frames in, values out that JSON can hold. Asked is for every parameter that the study varied, so that one fit
for each combination of picked levels answers whatever is asked. Runs are told by their rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessClassifier

from stability.page_kit.words import listed
from stability.questions.advice.chances import NEAREST, Fitted, fit, is_better
from stability.questions.advice.estimate import why_not
from stability.questions.advice.setting import Setting, drawn_factors
from stability.reading.factors import level_text, numeric
from stability.reading.ordering import in_design_order
from stability.reading.study import Study
from stability.reading.unit_cube import Scale, column_levels
from stability.spec import Config
from stability.spec.study import VARIANT
from stability.statistics.gaussian_process import fitted_kernel
from stability.statistics.rates import designed

MOST_FITS = 24
"""Of more combinations of picked levels there is no form: a page would take long to write."""
PLACES = 10
"""Decimal places of what was fitted."""


def advice_form(study: Study) -> dict[str, Any] | None:
    """The form; None where points differ in nothing that could be asked for, or too much was crossed."""
    spec = study.frames.spec
    runs = in_design_order(study.runs, spec)
    axes, drawn = numeric(spec, runs), drawn_factors(spec, runs)
    picks = [name for name in study.factors if name not in drawn]
    combinations = [dict(zip(picks, row, strict=True)) for row in runs[picks].drop_duplicates().to_numpy()]
    asks = (axes or drawn) and study.frames.runs["point"].nunique() > 1
    if not asks or len(combinations) > MOST_FITS:
        return None
    asked = [Setting(spec, levels, axes, drawn) for levels in combinations]
    rows = {run: row for row, run in enumerate(study.runs["run"])}
    listed = [_listed(study, name) for name in (*picks, *drawn)]
    return {
        "fields": [*listed, *(_ranged(scale) for scale in asked[0].scales)],
        "picks": picks,
        "order": [rows[run] for run in runs.loc[runs[list(axes)].notna().all(axis=1), "run"]],
        "nearest": NEAREST,
        "unit": study.unit,
        "fits": [_fitted(one, runs, rows) for one in asked],
    }


def _listed(study: Study, name: str) -> dict[str, Any]:
    levels = study.order(name)
    usual = level_text(_usual(name))
    return {"name": name, "levels": list(levels), "value": usual if usual in levels else levels[0]}


def _ranged(scale: Scale) -> dict[str, Any]:
    usual = _usual(scale.name)
    if usual is None or not scale.low <= usual <= scale.high:
        usual = float(f"{scale.from_unit(np.array([0.5]))[0]:.2g}")
    value = round(usual) if scale.integer else usual
    ends = {"low": scale.low, "high": scale.high, "log": scale.log, "integer": scale.integer}
    return {"name": scale.name, "value": value, **ends}


def _usual(name: str) -> Any:
    """A parameter's default, where it has one."""
    field = Config.model_fields.get(name)
    return None if field is None else field.default


def _fitted(asked: Setting, runs: pd.DataFrame, rows: Mapping[str, int]) -> dict[str, Any]:
    """What answers where these levels are picked, as `advise` finds it."""
    here = asked.picked(designed(runs))
    told = {"levels": asked.values, "n_points": here["point"].nunique(), "n_runs": len(here)}
    own = f"the variant {asked.values[VARIANT]} sets {listed(asked.taken)} itself" if asked.taken else ""
    if reason := own or why_not(runs, here):
        return told | {"reason": reason}
    found = fit(here, asked.inputs(here), len(asked.axes), np.random.default_rng(0))
    return told | {
        "reason": "",
        "columns": [[name, level] for name in asked.drawn for level in column_levels(here[name])],
        "rows": [rows[run] for run in here["run"].iloc[found.rows.used]],
        "overall": found.overall,
        **(_process(found, found.process) if found.process else {"runs": [rows[run] for run in here["run"]]}),
    }


def _process(found: Fitted, process: GaussianProcessClassifier) -> dict[str, Any]:
    kernel = fitted_kernel(process)
    stretched, level = kernel.k1, kernel.k2
    return {
        "weight": found.weight,
        "quantile": float(norm.ppf(found.latent_confidence)),
        "shares": np.round(process.base_estimator_.pi_, PLACES).tolist(),
        "scale": float(stretched.k1.constant_value),
        "lengths": np.atleast_1d(stretched.k2.length_scale).tolist(),
        "level": float(level.constant_value),
        "brier": found.brier["estimate"].iloc[:2].tolist(),
        "better": is_better(found.brier),
    }

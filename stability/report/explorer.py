"""The explorer: every run for the page's script, with the details of some. Arranges; computes no estimate."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup

from stability.page_kit.embed import json_text
from stability.page_kit.palette import LOOKS
from stability.questions.advice.form import advice_form
from stability.reading.study import Study
from stability.reading.typical_runs import typical_runs
from stability.records import SUCCESSES
from stability.report.run_columns import run_columns, shown_frame
from stability.report.run_details import run_details

SEED = 20
"""Of the draw of further runs with details, so that the same study gives the same page."""


@dataclass(frozen=True, slots=True)
class Explorer:
    """What the explorer's part of the page needs."""

    n_runs: int
    n_details: int
    """How many of them have curves, visits and pictures in the page."""
    advises: bool
    """Whether its data answer for a setting."""
    outcomes: tuple[str, ...]
    data: Markup
    """JSON for the page's script."""
    csv: pd.DataFrame
    """All runs, for those who would rather have a file."""


def explorer(study: Study, replay_command: str) -> Explorer:
    """All finished runs; `replay_command` has places for `{folder}` and `{run}`."""
    columns = run_columns(study)
    details = run_details(study, rng=np.random.default_rng(SEED))
    spec, form = study.frames.spec, advice_form(study)
    folder = shlex.quote(str(study.frames.folder))
    data = {
        "n": len(study.runs),
        "columns": [column.as_json() for column in columns],
        "colours": {str(outcome): look.colour for outcome, look in LOOKS.items()},
        "details": details,
        "typical": typical_runs(study.runs)["run"].tolist(),
        "estimable": study.estimable,
        "map": None if study.map_axes is None else [study.map_axes.x, study.map_axes.y],
        "successes": sorted(SUCCESSES),
        "units": study.runs["point"].tolist() if study.unit == "seed" else None,
        "replay": None if spec.observed else replay_command.format(folder=folder, run="\0").split("\0"),
        "show": ["stability show " + folder + " ", ""],
        "horizon": spec.training.steps,
        "advice": form and form | {"command": f"stability advise {folder}"},
        "bars": {
            "separation": spec.outcomes.saturated_separation,
            "update": spec.outcomes.saturated_update,
            "modes": spec.outcomes.stable_modes,
            "fid_excess": spec.outcomes.stable_excess,
        },
    }
    return Explorer(
        n_runs=len(study.runs),
        n_details=len(details),
        advises=form is not None,
        outcomes=study.outcomes,
        data=json_text(data),
        csv=shown_frame(study, columns),
    )

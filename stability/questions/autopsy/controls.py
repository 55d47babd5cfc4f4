"""Which runs an autopsy opens, and which stand beside them: when each was good, and who came to no harm.

Frames in, frames out; what is good is the outcomes' own rule. Imports neither torch nor optuna.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stability.outcomes.course import Visits
from stability.outcomes.signs import State, measured_visits, states
from stability.records import FAILURES, EventKind
from stability.spec import Thresholds
from stability.statistics.rates import designed

MOST_RUNS = 200
"""Of more runs with the event, or of more controls, as many are drawn at random."""
HARM = (EventKind.COLLAPSE.value, EventKind.SATURATION.value)
"""Events that make a run no control, whether it recovers or not."""
READ = ("step", "precision", "modes", "n_modes", "diversity")
"""What tells whether a visit is good."""


def subjects(runs: pd.DataFrame, visits: pd.DataFrame, bars: Thresholds, kind: EventKind) -> pd.DataFrame:
    """All runs with their first good visit and the step after which they count as healthy (`start`)."""
    first_good = first_good_visits(visits, bars)
    first_visit = visits[visits["step"] > 0].groupby("run")["step"].min().rename("first_visit")
    columns = ["run", "point", "adaptive", "step", "outcome"]
    found = runs[columns].join(first_good, on="run").join(first_visit, on="run")
    start = found["first_good"] - 1 if needs_good(kind) else found["first_visit"]
    return found.assign(was_good=found["first_good"].notna(), start=start)


def needs_good(kind: EventKind) -> bool:
    """Whether a run has to have been good for its event to be opened: only then something was lost."""
    return kind is EventKind.COLLAPSE


def first_good_visits(visits: pd.DataFrame, bars: Thresholds) -> pd.Series:
    """By run: the step of its first good visit, as the outcomes are decided; runs without one are missing."""
    ordered = visits.sort_values(["run", "step"], kind="stable")
    names, starts = np.unique(ordered["run"].to_numpy(dtype=object), return_index=True)
    columns = [ordered[name].to_numpy(dtype=np.float64) for name in READ]
    ends = [*starts[1:].tolist(), len(ordered)]
    first: dict[str, float] = {}
    for name, start, end in zip(names.tolist(), starts.tolist(), ends, strict=False):
        steps, *metrics = (column[start:end] for column in columns)
        good = np.flatnonzero(_states(steps, metrics, bars) == State.GOOD)
        if len(good):
            first[name] = float(steps[good[0]])
    index = pd.Index(list(first), dtype=visits["run"].dtype)  # an empty one has to be joinable, too
    return pd.Series(list(first.values()), index=index, name="first_good", dtype=np.float64)


def unharmed(everyone: pd.DataFrame, events: pd.DataFrame, kind: EventKind) -> pd.DataFrame:
    """The runs that come to no harm: none of `HARM`, no event of the kind, an outcome that is no failure."""
    hurt = events.loc[events["kind"].isin((*HARM, kind.value)), "run"]
    return everyone[~everyone["run"].isin(hurt) & ~everyone["outcome"].isin(FAILURES)]


def borrow_onsets(others: pd.DataFrame, cases: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The other runs, each with the onset of a case that it could have had, drawn at random."""
    onsets = cases["onset"].to_numpy(dtype=np.int64)
    rows = []
    for _, run in sample(designed(others), rng).iterrows():
        possible = onsets[
            (onsets <= run["step"]) & (onsets > run["start"])
        ]  # a missing start is never passed
        if len(possible):
            rows.append({**run.to_dict(), "onset": int(rng.choice(possible))})
    return pd.DataFrame(rows, columns=[*others.columns, "onset"])


def sample(runs: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """All runs, or `MOST_RUNS` of them drawn at random."""
    if len(runs) <= MOST_RUNS:
        return runs
    return runs.iloc[np.sort(rng.permutation(len(runs))[:MOST_RUNS])]


def _states(
    steps: NDArray[np.float64], metrics: list[NDArray[np.float64]], bars: Thresholds
) -> NDArray[np.int64]:
    """The states of one run; what they do not depend on is unknown."""
    precision, modes, n_modes, diversity = metrics
    unknown = np.full(len(steps), np.nan)
    visits = Visits(
        step=steps.astype(np.int64),
        precision=precision,
        modes=modes.astype(np.int64),
        n_modes=n_modes.astype(np.int64),
        diversity=diversity,
        recall=unknown,
        separation=unknown,
        recorded_separation=unknown,
        fid_excess=unknown,
        distance=unknown,
        generator_update=unknown,
        discriminator_update=unknown,
        loss=unknown,
        peak_loss=unknown,
    )
    return states(measured_visits(visits, bars), bars)

"""Collapse autopsies: how runs look around the moment they collapse (or saturate), and what moved first.

Runs are aligned at their first onset. What moved before it stands beside the same rule in runs that come to
no harm, at borrowed onsets. Adaptive runs enter no estimate. Imports neither torch nor optuna.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stability.questions.autopsy.controls import borrow_onsets, needs_good, sample, subjects, unharmed
from stability.questions.question import seeded
from stability.reading.study import Study
from stability.records import EventKind
from stability.spec import StudySpec
from stability.statistics.rates import ADAPTIVE, COLUMNS, NO_RUNS, designed, rate
from stability.vocabulary.metrics import AROUND_ONSETS, QUANTITIES, RECORDED, VISITED

RecordsOf = Callable[[Sequence[str], Sequence[str]], pd.DataFrame]
"""Gives the records of some runs: `run`, `step` and some columns (`StudyFrames.records_of`)."""
Floats = NDArray[np.float64]


AUTOPSIED = (EventKind.COLLAPSE, EventKind.SATURATION)
CASE, CONTROL = "case", "control"

LEAST = {"separation": 0.02}
"""The band of healthy values reaches at least this far from their median, in decades of a logarithm; ..."""
LEAST_ELSE = 0.1
"""... and so far for everything else."""

AROUND = 6
"""Visits before and after the onset that are shown."""
WIDTH = 4.0
"""Half of the healthy band in median absolute deviations: 2.7 standard deviations of a normal number."""
SMOOTHED = 5
"""Records whose running median is compared with the band: one batch is noisy."""
FEWEST = 4
"""Healthy values without which there is no band."""

TYPICAL = ("group", "quantity", "visit", "offset", "median", "q25", "q75", "n_points", "n_runs")
FIRST = ("quantity", "group", *COLUMNS, "lead_median", "lead_q25", "lead_q75")
CHOSEN = ("run", "why", "point", "onset", "recovery")


@dataclass(frozen=True)
class Autopsies:
    """What was found around the onsets of one kind of event."""

    kind: EventKind
    every: int
    """Steps between two visits."""
    typical: pd.DataFrame
    """By group, quantity and visit from the onset on (`offset` in steps): median and quartiles over runs."""
    first: pd.DataFrame
    """By quantity and group: the share of runs in which it had left its healthy band a visit before the onset
    or earlier and stayed outside, and quartiles of its lead in steps among those."""
    chosen: pd.DataFrame
    """Up to three runs to be shown in full."""
    records: pd.DataFrame
    """What the chosen runs recorded of `AROUND_ONSETS`."""
    evaluations: pd.DataFrame
    n_cases: int
    """Runs with the event that were used; at most `MOST_RUNS`, drawn at random."""
    n_available: int
    n_controls: int
    """Runs that come to no harm: no collapse, no saturation, and an outcome that is no failure."""
    n_never_good: int
    """Collapses of runs that never were good: they have no healthy time to compare with and are left out."""
    reason: str = ""
    """Why nothing is estimated; empty where something is."""


def autopsies(
    runs: pd.DataFrame,
    events: pd.DataFrame,
    evaluations: pd.DataFrame,
    records_of: RecordsOf,
    *,
    spec: StudySpec,
    rng: np.random.Generator,
    kind: EventKind = EventKind.COLLAPSE,
) -> Autopsies:
    """Open up the runs with one kind of event; `records_of` is asked once, for a few hundred runs."""
    visits = evaluations.assign(modes_share=evaluations["modes"] / evaluations["n_modes"])
    everyone = subjects(runs, visits, spec.outcomes, kind)
    onsets = events.loc[events["kind"] == kind.value].sort_values("onset").drop_duplicates("run")
    had = everyone.merge(onsets[["run", "onset", "recovery"]], on="run")
    usable = had[had["was_good"] & (had["first_good"] < had["onset"])] if needs_good(kind) else had
    fixed = designed(usable)
    cases = sample(fixed, rng)
    controls = borrow_onsets(unharmed(everyone, events, kind), cases, rng)
    chosen = chosen_runs(usable, visits)
    names = list(dict.fromkeys([*cases["run"], *controls["run"], *chosen["run"]]))
    records = records_of(names, [name for name in AROUND_ONSETS if name in RECORDED])
    groups = {CASE: cases, CONTROL: controls}
    every = spec.recording.evaluate_every
    return Autopsies(
        kind=kind,
        every=every,
        typical=_frame(
            [_aligned(g, records, visits, every).assign(group=n) for n, g in groups.items()], TYPICAL
        ),
        first=_frame([_moved(g, records, visits, every).assign(group=n) for n, g in groups.items()], FIRST),
        chosen=chosen,
        records=records[records["run"].isin(chosen["run"])],
        evaluations=evaluations[evaluations["run"].isin(chosen["run"])],
        n_cases=len(cases),
        n_available=len(fixed),
        n_controls=len(controls),
        n_never_good=len(had) - len(usable),
        reason=_reason(runs, usable, cases, kind),
    )


def autopsies_of(study: Study) -> tuple[Autopsies, ...]:
    """For each kind of AUTOPSIED."""
    frames = study.frames
    return tuple(
        autopsies(
            study.runs,
            frames.events,
            frames.evaluations,
            frames.records_of,
            spec=frames.spec,
            rng=seeded(3),
            kind=kind,
        )
        for kind in AUTOPSIED
    )


ABRUPT = 0.3
"""Share of the modes."""


def chosen_runs(cases: pd.DataFrame, visits: pd.DataFrame) -> pd.DataFrame:
    """Up to three runs: the typical one, one that recovered, and the most abrupt one at yet another point.

    Typical: the (lower) median onset among those that did not recover. Recovered: the same among those that
    did. Abrupt: of the rest, the largest share of modes lost from one visit to the next,
    if it is `ABRUPT` at least.
    """
    lasting = cases["recovery"].isna()
    lost = cases[["run"]].join(_modes_lost(cases, visits), on="run")["lost"]
    rows = []
    for group, why in (
        (cases[lasting], "typical: the median onset of the {n} that did not recover"),
        (cases[~lasting], "recovered: the median onset of the {n} that did"),
    ):
        ranked = group.sort_values(["onset", "run"])
        rows.append(
            ranked.iloc[[(len(ranked) - 1) // 2] if len(ranked) else []].assign(why=why.format(n=len(ranked)))
        )
    taken = pd.concat(rows)
    elsewhere = ~cases["point"].isin(taken["point"])  # to a frame without rows a column would bring some
    rest = cases.assign(lost=lost)[elsewhere].sort_values(["lost", "run"])
    abrupt = (
        rest[rest["lost"] >= ABRUPT].tail(1).assign(why="abrupt: many modes lost from one visit to the next")
    )
    return _frame([taken, abrupt], CHOSEN)


def lead(steps: Floats, values: Floats, onset: int, every: int, least: float) -> float:
    """How many steps before the onset a quantity left its own healthy band for good; 0 where it did not.

    The band: median +- `WIDTH` median absolute deviations, or `least` if that is wider, of the values up to
    one visit before the onset. Only leaving it by then counts: later, the event itself may have begun.
    NaN where there are fewer than `FEWEST` healthy values.
    """
    earlier = steps < onset
    steps, values = steps[earlier], values[earlier]
    healthy = values[(steps <= onset - every) & np.isfinite(values)]
    if len(healthy) < FEWEST:
        return np.nan
    centre = np.median(healthy)
    half = max(WIDTH * float(np.median(np.abs(healthy - centre))), least)
    inside = np.flatnonzero(np.isfinite(values) & (np.abs(values - centre) <= half))
    left = inside[-1] + 1 if len(inside) else 0
    if left == len(steps) or steps[left] > onset - every:
        return 0.0
    return float(onset - steps[left])


def _aligned(group: pd.DataFrame, records: pd.DataFrame, visits: pd.DataFrame, every: int) -> pd.DataFrame:
    """Median and quartiles over runs, by visit from the onset on; nearest ranks: values may be infinite."""
    onsets = group[["run", "point", "onset"]]
    rows = []
    for quantity in AROUND_ONSETS:
        values = (visits if quantity in VISITED else records)[["run", "step", quantity]]
        near = values.merge(onsets, on="run").rename(columns={quantity: "value"})
        near["visit"] = np.ceil((near["step"] - near["onset"]).astype(float) / every)
        near = near.astype({"value": float})[near["visit"].abs() <= AROUND].dropna(subset="value")
        per_run = near.groupby(["visit", "run", "point"])["value"].median().reset_index()
        rows.append(_quartiles(per_run).assign(quantity=quantity))
    return pd.concat(rows).assign(offset=lambda frame: frame["visit"] * every)


def _quartiles(per_run: pd.DataFrame) -> pd.DataFrame:
    by_visit = per_run.groupby("visit")
    quartiles = {
        name: by_visit["value"].quantile(share, interpolation="nearest")
        for name, share in (("median", 0.5), ("q25", 0.25), ("q75", 0.75))
    }
    counts = {"n_points": by_visit["point"].nunique(), "n_runs": by_visit["run"].nunique()}
    return pd.DataFrame({**quartiles, **counts}).reset_index().astype({"visit": int})


def _moved(group: pd.DataFrame, records: pd.DataFrame, visits: pd.DataFrame, every: int) -> pd.DataFrame:
    """For each quantity, in which share of runs it moved before the onset, and by how much earlier."""
    by_run = {
        visited: {
            str(name): rows.sort_values("step")
            for name, rows in frame[frame["run"].isin(group["run"])].groupby("run")
        }
        for visited, frame in ((True, visits), (False, records))
    }
    rows = []
    for quantity in AROUND_ONSETS:
        courses = by_run[quantity in VISITED]
        leads = [
            _lead_of(case, courses[case["run"]], quantity, every) if case["run"] in courses else np.nan
            for case in group.to_dict("records")
        ]
        known = group.assign(lead=np.array(leads, dtype=float)).dropna(subset="lead")
        ahead = known.loc[known["lead"] > 0, "lead"]
        spread = {
            f"lead_{name}": ahead.quantile(q) for name, q in (("median", 0.5), ("q25", 0.25), ("q75", 0.75))
        }
        row = rate(known, (known["lead"] > 0).rename("moved"))
        if known.empty:
            why = "too few healthy values before the onset" if len(group) else "there is no such run"
            row = row.assign(reason=f"not estimable: {why}")
        rows.append(row.assign(quantity=quantity, **spread))
    return pd.concat(rows)


def _lead_of(case: Mapping[Hashable, Any], course: pd.DataFrame, quantity: str, every: int) -> float:
    steps = course["step"].to_numpy(dtype=np.float64)
    values = course[quantity].to_numpy(dtype=np.float64, na_value=np.nan)
    if QUANTITIES[quantity].log:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.log10(values)
    if quantity in RECORDED:
        values = pd.Series(values).rolling(SMOOTHED, min_periods=1).median().to_numpy()
    since = steps > case["start"]
    return lead(steps[since], values[since], int(case["onset"]), every, LEAST.get(quantity, LEAST_ELSE))


def _modes_lost(cases: pd.DataFrame, visits: pd.DataFrame) -> pd.Series:
    """By run: the share of modes lost from the visit before the onset to the one at it."""
    near = visits[["run", "step", "modes_share"]].merge(cases[["run", "onset"]], on="run").sort_values("step")
    near = near[near["step"] <= near["onset"]]
    near = near.assign(lost=-near.groupby("run")["modes_share"].diff())
    return near.drop_duplicates("run", keep="last").set_index("run")["lost"]


def _reason(runs: pd.DataFrame, usable: pd.DataFrame, cases: pd.DataFrame, kind: EventKind) -> str:
    if runs.empty:
        return NO_RUNS
    if len(cases):
        return ""
    good = " after having been good" if needs_good(kind) else ""
    return ADAPTIVE if len(usable) else f"not estimable: no run had a {kind.value.replace('_', ' ')}{good}"


def _frame(frames: list[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled or [pd.DataFrame(columns=list(columns))], ignore_index=True)[list(columns)]

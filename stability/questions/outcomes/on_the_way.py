"""Collapses on the way: of runs that had been good and whose outcome says nothing of it. Counts, no rate."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from stability.outcomes.labels import COLLAPSES
from stability.page_kit.words import plural
from stability.reading.study import Study
from stability.records import EventKind


@dataclass(frozen=True, slots=True)
class OnTheWay:
    """How many runs collapsed on the way, and the run that shows it best."""

    sentence: str
    run: str
    onset: int


def on_the_way(study: Study) -> OnTheWay | None:
    """What outcomes hide: collapses after having been good, where not all such runs ended collapsed."""
    runs, events = study.runs, study.frames.events
    collapses = events[(events["kind"] == EventKind.COLLAPSE) & ~events["never_good"].astype(bool)]
    ended = set(runs.loc[runs["outcome"].isin(COLLAPSES), "run"])
    hidden = collapses[collapses["run"].isin(set(runs["run"]) - ended)]
    if hidden.empty:
        return None
    met = set(collapses["run"])
    back = len(met - set(collapses.loc[collapses["recovery"].isna(), "run"]))
    told = {0: "none", len(met): "all" if len(met) > 1 else "it"}.get(back, f"{back:,}")
    some = f"{len(met):,} of {plural(len(runs), 'run')}"
    sentence = f"{some} collapsed on the way, after having been good; {told} came back."
    best = _plainest(hidden, study.frames.evaluations)
    return OnTheWay(sentence, str(best["run"]), int(best["onset"]))


def _plainest(collapses: pd.DataFrame, visits: pd.DataFrame) -> pd.Series:
    """Where pictures got worst, by FID excess over its lowest before; one that is over, if there is any."""
    over = collapses[collapses["recovery"].notna()]
    among = (over if len(over) else collapses).reset_index(drop=True)
    excess = among[["run", "onset"]].reset_index().merge(visits[["run", "step", "fid_excess"]], on="run")
    at, before = (
        excess[there].groupby("index")["fid_excess"]
        for there in (excess["step"] == excess["onset"], excess["step"] < excess["onset"])
    )
    rises = (at.max() / before.min()).reindex(among.index, fill_value=0.0).fillna(0.0)
    return among.iloc[int(rises.argmax())]

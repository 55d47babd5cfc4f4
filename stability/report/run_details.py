"""Chosen runs in detail for the explorer: which ones, their thinned curves, visits, events and filmstrip."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stability.page_kit.embed import data_uri
from stability.page_kit.pictures import encode_coarse
from stability.questions.outcomes.on_the_way import on_the_way
from stability.reading.study import Study
from stability.reading.typical_runs import filmstrip_rows, typical_runs
from stability.report.closeups import trial_views
from stability.report.run_columns import rounded
from stability.spec.config import RECIPES
from stability.store import Store, read_filmstrip
from stability.store.sheets import as_sheet
from stability.vocabulary.losses import LOSSES
from stability.vocabulary.metrics import CURVES, OWN_PREFIX, VISIT_CURVES

MOST_RUNS, MOST_BYTES = 300, 6_000_000
"""At most so many runs have details, and at most so many bytes of the page are theirs."""
EVEN_POINTS, DIGITS = 36, 4
"""Records of a curve at even distances, beside every curve's extremes; significant digits of a value."""


@dataclass(frozen=True, slots=True)
class FilmRoom:
    """How much of a film is kept in the page."""

    visits: int
    images: int
    numbers: int
    """In all its pictures together; fewer images where they are large."""


LONG, SHORT = FilmRoom(16, 64, 600_000), FilmRoom(8, 9, 60_000)
"""Of the typical run of each outcome, and of any other."""
SHADES = 16
"""Levels of grey or of a colour's parts in a film: an eye misses little, and a third of the bytes do."""


MOVED_BY = {
    "label_smoothing": 0.0,
    "label_smoothing_fake": 0.0,
    "label_noise": 0.0,
    "label_flip": 0.0,
    "alpha_d": 1.0,
    "alpha_g": 1.0,
}
"""What takes a loss's equilibrium elsewhere, and its value that does not."""


def run_details(
    study: Study,
    *,
    rng: np.random.Generator,
    most_runs: int = MOST_RUNS,
    most_bytes: int = MOST_BYTES,
) -> dict[str, dict[str, Any]]:
    """Details by run, as JSON can hold them, for the chosen runs that fit into so many bytes."""
    chosen = chosen_runs(study, rng=rng)[:most_runs]
    frames = study.frames
    records = _by_run(frames.records_of(chosen, CURVES))
    visits, events = (
        _by_run(frame[frame["run"].isin(chosen)]) for frame in (frames.evaluations, frames.events)
    )
    typical = set(typical_runs(study.runs)["run"])
    rows = {str(row["run"]): row for row in study.runs[study.runs["run"].isin(chosen)].to_dict("records")}
    store = Store(frames.folder, frames.plan)
    details: dict[str, dict[str, Any]] = {}
    room = most_bytes
    for run in chosen:
        is_typical = run in typical
        happened = _events(events.get(run), rows[run])
        detail = {
            "curves": _curves(records.get(run)),
            "visits": _visits(visits.get(run)),
            "events": happened,
            "equilibrium": _equilibrium(rows[run]),
            "film": _film(store, run, [one["onset"] for one in happened], LONG if is_typical else SHORT),
        }
        if is_typical and (views := trial_views(store, study.runs, run)):
            detail["views"] = views
        room -= len(json.dumps(detail, separators=(",", ":"))) + len(run) + 4
        if room < 0:
            break
        details[run] = detail
    return details


def chosen_runs(study: Study, *, rng: np.random.Generator) -> list[str]:
    """Every run, those first that a reader should be able to open.

    First the typical run of every outcome, of every kind of event, and of every outcome under every level
    of a factor, and what the first screen points at; then at random.
    """
    runs = study.runs
    first = [str(run) for group in _groups(study) for run in typical_runs(group)["run"]]
    if (pointed := on_the_way(study)) is not None:
        first.insert(0, pointed.run)
    others = runs["run"].to_numpy(dtype=object)[rng.permutation(len(runs))]
    return list(dict.fromkeys([*first, *others.tolist()]))


def _groups(study: Study) -> Iterator[pd.DataFrame]:
    runs, events = study.runs, study.frames.events
    yield runs
    for kind in sorted(set(events["kind"])):
        yield runs[runs["run"].isin(events.loc[events["kind"] == kind, "run"])]
    for factor in study.factors:
        for level in study.order(factor):
            yield runs[runs[factor] == level]


def _by_run(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    ordered = frame.sort_values("onset" if "onset" in frame else "step", kind="stable")
    return {str(run): rows for run, rows in ordered.groupby("run", sort=False)}


def _curves(records: pd.DataFrame | None) -> dict[str, list[Any]]:
    """Thinned curves by column, those left out of which nothing is known."""
    if records is None:
        return {}
    values = {
        name: records[name].to_numpy(dtype=np.float64, na_value=np.nan)
        for name in CURVES
        if records[name].notna().any()
    }
    rows = thinned(list(values.values()), len(records), EVEN_POINTS)
    steps = records["step"].to_numpy()[rows].tolist()
    return {"step": steps, **{name: _short(column[rows]) for name, column in values.items()}}


def thinned(columns: Sequence[NDArray[np.float64]], n_rows: int, even: int) -> NDArray[np.int64]:
    """Rows to draw, rising: `even` ones at even distances, and what those would lose.

    That is each column's lowest and highest value, and its first one that is not finite.
    """
    rows = set(np.linspace(0, n_rows - 1, min(even, n_rows)).round().astype(int).tolist())
    for column in columns:
        finite = np.isfinite(column)
        if finite.any():
            rows |= {int(np.argmin(np.where(finite, column, np.inf)))}
            rows |= {int(np.argmax(np.where(finite, column, -np.inf)))}
        if not finite.all():
            rows.add(int(np.argmin(finite)))
    return np.array(sorted(rows), dtype=np.int64)


def _visits(visits: pd.DataFrame | None) -> dict[str, list[Any]]:
    if visits is None:
        return {}
    names = [*VISIT_CURVES, *(name for name in map(str, visits) if name.startswith(OWN_PREFIX))]
    values = {name: _short(visits[name].to_numpy(dtype=np.float64, na_value=np.nan)) for name in names}
    return {"step": visits["step"].tolist(), **values}


def _short(values: NDArray[np.float64]) -> list[Any]:
    """Values with four digits; None where a value is missing or not finite: there the curve has a gap."""
    short = [rounded(value, DIGITS) for value in values.tolist()]
    return [None if isinstance(value, str) else value for value in short]


def _events(events: pd.DataFrame | None, row: Mapping[Any, Any]) -> list[dict[str, Any]]:
    """What happened, in order of onset, divergence included."""
    found = [] if events is None else [_event(event) for event in events.to_dict("records")]
    if pd.notna(row["divergence_step"]):
        where = {"kind": "diverged", "onset": int(row["divergence_step"]), "recovery": None}
        found.append({**where, "evidence": f"first in {row['divergence_tensor']}", "provisional": False})
    return sorted(found, key=lambda event: event["onset"])


def _event(event: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "kind": str(event["kind"]),
        "onset": int(event["onset"]),
        "recovery": int(event["recovery"]) if pd.notna(event["recovery"]) else None,
        "evidence": str(event["evidence"]),
        "provisional": bool(event["provisional"]),
    }


def _equilibrium(row: Mapping[Any, Any]) -> dict[str, float | None] | None:
    """The loss's own equilibrium; None where there is none or the labels or an order have moved it."""
    loss = str(row["loss"])
    plain = RECIPES[loss]["loss"] if loss in RECIPES else loss
    known = LOSSES.get(str(plain))
    if known is None or any(float(row.get(name, usual)) != usual for name, usual in MOVED_BY.items()):
        return None
    return asdict(known.equilibrium)


def _film(store: Store, run: str, moments: Sequence[int], most: FilmRoom) -> dict[str, Any] | None:
    """All of a film that there is room for, as one sheet: a row a visit, its images side by side."""
    path = store.picture(run)
    if not path.is_file():
        return None
    strip = read_filmstrip(path)
    rows = filmstrip_rows(strip.steps, moments, most=most.visits)
    height, width, channels = strip.images.shape[2:]
    room = most.numbers // (len(rows) * height * width * channels)
    images = strip.images[rows][:, : max(1, min(most.images, room))]
    return {
        "source": data_uri("image/png", encode_coarse(as_sheet(images), SHADES)),
        "steps": [strip.steps[row] for row in rows],
        "images": images.shape[1],
        "width": width,
        "height": height,
    }

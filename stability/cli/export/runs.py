"""What every export tells of a run: settings, records and visits as numbers, its film, how it ended."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stability.reading.frames import StudyFrames, load
from stability.store import FilmStrip, Store, read_filmstrip
from stability.vocabulary.metrics import OWN_PREFIX

LAST = ("fid_excess", "precision", "recall", "diversity", "modes")
"""What is told of a run's last visit beside its settings; so are metrics of the user's own."""
UNTOLD = ["step", "n_samples", "n_modes", "fid_floor", "fid_floor_std"]
"""Numbers of a record or a visit that make no curve: where it is, and what is the same at all of them."""


@dataclass(frozen=True, slots=True)
class ExportedRun:
    """One finished run."""

    name: str
    settings: dict[str, Any]
    """What the study gave it by name, and its seed."""
    ended: dict[str, str]
    """`outcome`, `reason`, and its events in words."""
    last: dict[str, float]
    """Its metrics at the last visit, as far as they are numbers."""
    film: FilmStrip | None
    seconds: float
    """That it took to train."""
    frames: StudyFrames

    @property
    def end(self) -> str:
        """How it ended, as Markdown."""
        return f"**{self.ended['outcome']}**: {self.ended['reason']}; events: {self.ended['events']}"

    def numbers(self) -> Iterator[tuple[int, dict[str, float]]]:
        """By step, every number of its records and visits by full name; what is missing is left out."""
        visits = self.frames.evaluations
        tables = {"train": self.frames.records_of([self.name]), "visit": visits[visits["run"] == self.name]}
        found: dict[int, dict[str, float]] = {}
        for kind, own in tables.items():
            kept = own.select_dtypes("number").drop(columns=UNTOLD, errors="ignore")
            for step, row in zip(own["step"], kept.to_dict("records"), strict=True):
                known = {
                    f"{kind}/{name}": float(value) for name, value in row.items() if not _is_missing(value)
                }
                found.setdefault(int(step), {}).update(known)
        yield from sorted(found.items())


def exported_runs(folder: Path, left_out: Collection[str] = ()) -> Iterator[ExportedRun]:
    """The finished runs of a study, in the plan's order, but for those that are left out.

    Raises `StabilityError` as `load` does.
    """
    frames = load(folder)
    store = Store(frames.folder, frames.plan)
    named = dict.fromkeys((*frames.spec.factors, *frames.spec.named, "lr_g", "lr_d", "seed"))
    names = [name for name in named if name in frames.runs]
    told = [*LAST, *(name for name in map(str, frames.runs) if name.startswith(OWN_PREFIX))]
    for row in frames.runs[~frames.runs["run"].isin(set(left_out))].to_dict("records"):
        run = str(row["run"])
        path = store.picture(run)
        yield ExportedRun(
            name=run,
            settings={name: _plain(row[name]) for name in names if not _is_missing(row[name])},
            ended={
                "outcome": str(row["outcome"]),
                "reason": str(row["reason"]),
                "events": _events(frames, run),
            },
            last={name: float(row[name]) for name in told if not _is_missing(row[name])},
            film=read_filmstrip(path) if path.is_file() else None,
            seconds=float(row["seconds"]),
            frames=frames,
        )


def _events(frames: StudyFrames, run: str) -> str:
    own = frames.events[frames.events["run"] == run]
    return "; ".join(f"{event.kind} at {event.onset}" for event in own.itertuples()) or "none"


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value

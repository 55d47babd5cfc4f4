"""Chosen runs up close: curves, filmstrip, latent views, configuration, and what happened, in words."""

from __future__ import annotations

import io
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from PIL import Image

from stability.analysis.exemplars import filmstrip_rows, typical_runs
from stability.analysis.frames import PACGAN_PREFIXES
from stability.analysis.study import Study
from stability.report.closeups import View, card_views
from stability.report.embed import data_uri
from stability.report.figures.curves import Bars, Onset, run_curves
from stability.report.svg import inline_svg
from stability.report.words import number
from stability.store import FilmStrip, Store, read_filmstrip

MOST_ROWS, MOST_IMAGES = 8, 6
PICTURE = 52
"""CSS pixels that a picture of the filmstrip should be high, at a whole multiple of its own."""

CURVES = (
    "step",
    "separation",
    "loss_g",
    "loss_d",
    "grad_norm_g",
    "grad_norm_d",
    "signal",
    "generator_update",
    "discriminator_update",
)


@dataclass(frozen=True, slots=True)
class Happening:
    """An event of a run, in words."""

    letter: str
    text: str
    evidence: str


@dataclass(frozen=True, slots=True)
class StripRow:
    """One row of a filmstrip."""

    step: int
    source: str
    alt: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class RunCard:
    """One run up close."""

    run: str
    outcome: str
    reason: str
    why: str
    settings: tuple[tuple[str, str], ...]
    metrics: tuple[tuple[str, str], ...]
    happenings: tuple[Happening, ...]
    figure: Markup
    strip: tuple[StripRow, ...]
    strip_note: str
    views: tuple[View, ...]
    views_note: str
    replay: str
    records: pd.DataFrame
    evaluations: pd.DataFrame


def run_cards(study: Study, replay_command: str) -> list[RunCard]:
    """The typical run of every outcome that occurred."""
    chosen = typical_runs(study.runs)
    return [_card(study, row, place, replay_command) for place, (_, row) in enumerate(chosen.iterrows())]


def _card(study: Study, row: pd.Series, place: int, replay_command: str) -> RunCard:
    frames, run = study.frames, str(row["run"])
    records = frames.records_of([run], CURVES[1:]).sort_values("step")
    evaluations = frames.evaluations[frames.evaluations["run"] == run].sort_values("step")
    events = frames.events[frames.events["run"] == run].sort_values(["onset", "kind"])
    onsets = _onsets(row, events)
    spec = frames.spec
    bars = Bars(
        spec.outcomes.saturated_separation,
        spec.outcomes.saturated_update,
        spec.outcomes.stable_modes,
        spec.outcomes.stable_excess,
    )
    figure = run_curves(records, evaluations, onsets, bars=bars, horizon=spec.training.steps)
    store, moments = Store(frames.folder, frames.plan), [onset.step for onset in onsets]
    strip, note = _strip(_film(store, run), moments)
    views, views_note = card_views(store, study.runs, run)
    return RunCard(
        run=run,
        outcome=str(row["outcome"]),
        reason=str(row["reason"]),
        why=str(row["why"]),
        settings=_settings(study, row),
        metrics=_metrics(row),
        happenings=_happenings(row, events, onsets),
        figure=inline_svg(figure, f"curves-{place}", _alt(row, evaluations, onsets)),
        strip=strip,
        strip_note=note,
        views=views,
        views_note=views_note,
        replay=replay_command.format(folder=shlex.quote(str(frames.folder)), run=shlex.quote(run)),
        records=records[list(CURVES)],
        evaluations=evaluations,
    )


def _onsets(row: pd.Series, events: pd.DataFrame) -> list[Onset]:
    """A letter for every step at which something began, divergence included."""
    steps = {int(step) for step in events["onset"]}
    if pd.notna(row["divergence_step"]):
        steps.add(int(row["divergence_step"]))
    return [Onset(_letter(place), step) for place, step in enumerate(sorted(steps))]


def _letter(place: int) -> str:
    return chr(ord("a") + place) if place < 26 else str(place + 1)


def _happenings(row: pd.Series, events: pd.DataFrame, onsets: Sequence[Onset]) -> tuple[Happening, ...]:
    letters = {onset.step: onset.letter for onset in onsets}
    found = []
    for event in events.to_dict("records"):
        name = str(event["kind"]).replace("_", " ")
        over = f", over at {int(event['recovery']):,}" if pd.notna(event["recovery"]) else ", not over"
        doubt = (
            " (provisional: too close to the end to tell whether it lasts)" if event["provisional"] else ""
        )
        text = f"{name} from step {int(event['onset']):,}{over}{doubt}"
        found.append((int(event["onset"]), text, str(event["evidence"])))
    if pd.notna(row["divergence_step"]):
        step = int(row["divergence_step"])
        found.append((step, f"diverged at step {step:,}", f"first in {row['divergence_tensor']}"))
    return tuple(Happening(letters[step], text, evidence) for step, text, evidence in sorted(found))


def _settings(study: Study, row: pd.Series) -> tuple[tuple[str, str], ...]:
    named = study.frames.spec.named
    names = [*study.varied, *(name for name in named if name in row.index and name not in study.varied)]
    settings = [(name, number(_plain(row[name]))) for name in names]
    rates = [
        (name, number(_plain(row[name])))
        for name in ("lr_d", "lr_g")
        if name not in names and pd.notna(row[name])
    ]
    return (*settings, *rates, ("seed", f"{row['seed']}"))


def _metrics(row: pd.Series) -> tuple[tuple[str, str], ...]:
    names = (
        "fid_excess",
        "best_fid_ratio",
        "modes",
        "precision",
        "recall",
        "diversity",
        "separation",
        "step",
    )
    special = ("kl", "confident_share", "class_agreement", "diversity_within", "memorisation")
    pacgan = [str(name) for name in row.index if str(name).startswith(PACGAN_PREFIXES)]
    known = [name for name in (*special, *pacgan) if pd.notna(row[name])]
    return tuple((name, number(_plain(row[name]))) for name in (*names, *known))


def _alt(row: pd.Series, evaluations: pd.DataFrame, onsets: Sequence[Onset]) -> str:
    text = (
        f"Curves of run {row['run']} ({row['outcome']}): separation, losses, gradient norms, updates, "
        "modes covered and FID excess over the training step."
    )
    if len(evaluations):
        first, last = evaluations.iloc[0], evaluations.iloc[-1]
        text += (
            f" FID excess {number(_plain(first['fid_excess']))} at step {int(first['step']):,} and "
            f"{number(_plain(last['fid_excess']))} at step {int(last['step']):,}; "
            f"modes {number(_plain(first['modes']))} and {number(_plain(last['modes']))}."
        )
    return text + (f" Events at steps {', '.join(f'{onset.step:,}' for onset in onsets)}." if onsets else "")


def _film(store: Store, run: str) -> FilmStrip | None:
    path = store.picture(run)
    return read_filmstrip(path) if path.is_file() else None


def _strip(film: FilmStrip | None, moments: list[int]) -> tuple[tuple[StripRow, ...], str]:
    if film is None:
        return (), "No filmstrip was kept of this run."
    chosen = filmstrip_rows(film.steps, moments, most=MOST_ROWS)
    rows = tuple(_strip_row(film, place) for place in chosen)
    note = "The same noise in every row; one row a visit"
    left_out = len(film.steps) - len(rows)
    return rows, f"{note}, {left_out} of {len(film.steps)} visits left out." if left_out else f"{note}."


def _strip_row(film: FilmStrip, place: int) -> StripRow:
    images = film.images[place][:MOST_IMAGES]
    count, height, width, channels = images.shape
    line = np.ascontiguousarray(images.transpose(1, 0, 2, 3).reshape(height, count * width, channels))
    buffer = io.BytesIO()
    Image.fromarray(line[:, :, 0] if channels == 1 else line).save(buffer, "PNG", compress_level=9)
    scale = max(1, round(PICTURE / height))
    step = film.steps[place]
    alt = f"{count} generated images at step {step:,}"
    return StripRow(
        step, data_uri("image/png", buffer.getvalue()), alt, count * width * scale, height * scale
    )


def _plain(value: Any) -> Any:
    """A NumPy or nullable scalar as Python's own."""
    if value is pd.NA or value is None:
        return float("nan")
    return value.item() if isinstance(value, np.generic) else value

"""Draws a run of each outcome for docs/outcomes.md: what it drew from the same noise at four visits.

`python studies/outcome_pictures.py FOLDER`, where FOLDER holds the results of `studies/judged/*.yaml`, each
by its study's name. Every run is one that both of its judges and the rules call so.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from stability.page_kit.pictures import encode_picture, film_frames
from stability.records import Outcome
from stability.store import FilmStrip, Store, read_filmstrip

RUNS = {
    Outcome.STABLE: ("judged-others", "p000-unpool-s0"),
    Outcome.NEARLY_STABLE: ("judged-fresh-long", "p000-least-squares-s0"),
    Outcome.LEARNING: ("judged-last-short", "p000-hinge-s0"),
    Outcome.OSCILLATING: ("judged-fresh-mlp", "p001-dragan-s0"),
    Outcome.COLLAPSED: ("judged-fresh-dcgan", "p001-non-saturating-s0"),
    Outcome.PARTIAL_COLLAPSE: ("judged-fresh-fashion", "p001-non-saturating-r1-s0"),
    Outcome.SATURATED: ("judged-last-dcgan", "p000-minimax-s0"),
    Outcome.DOMINATED: ("judged-fresh-mlp", "p002-sngan-s0"),
    Outcome.DIVERGED: ("judged-mlp", "p001-least-squares-s0"),
    Outcome.NOISE: ("judged-short", "p001-least-squares-s0"),
}
PICTURES = Path(__file__).parents[1] / "docs" / "pictures" / "outcomes"
FRAMES, SHOWN, WIDE, SCALE, GAP = 4, 24, 8, 1, 6


def strip_of(store: Store, run: str) -> Image.Image:
    """Frames from the first visit to the last, side by side."""
    film = read_filmstrip(store.picture(run))
    film = FilmStrip(film.steps, film.images[:, :SHOWN])
    places = np.linspace(0, len(film.steps) - 1, FRAMES).round().astype(int)
    frames = film_frames(film, places.tolist(), wide=WIDE, scale=SCALE)
    step = frames[0].width + GAP
    strip = Image.new(frames[0].mode, (step * FRAMES - GAP, frames[0].height), "white")
    for place, frame in enumerate(frames):
        strip.paste(frame, (place * step, 0))
    return strip


if __name__ == "__main__":
    PICTURES.mkdir(parents=True, exist_ok=True)
    for outcome, (study, run) in RUNS.items():
        strip = strip_of(Store.open(Path(sys.argv[1]) / study), run)
        (PICTURES / f"{outcome}.png").write_bytes(encode_picture(strip))

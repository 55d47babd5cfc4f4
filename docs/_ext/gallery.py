"""A page and a picture for each study that ships and whose results are kept, made from these.

What a page answers is counted, not written: how often what the study is about happens in each cell of its
design, and how its runs ended. Each interval stands by itself; points are the units, or seeds where a study
has one point.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from stability.page_kit.estimate import Estimate, rows_of
from stability.page_kit.pictures import encode_picture, film_frames
from stability.page_kit.words import listed
from stability.reading.factors import crossed_factors
from stability.reading.frames import load
from stability.reading.study import Study
from stability.records import SUCCESSES, Outcome
from stability.spec.study import CONFIGURATION
from stability.statistics.rates import rate
from stability.store import FilmStrip, Store, read_filmstrip
from studies import GALLERY, RESULTS, STUDIES, comment, told_time


@dataclass(frozen=True, slots=True)
class Rate:
    """What is asked: how many runs end so, or have had such an event."""

    words: str
    """Goes on from "runs"."""
    event: frozenset[Outcome] | str

    def of(self, runs: pd.DataFrame) -> tuple[float, str]:
        """The share, and how it is told."""
        event = self.event if isinstance(self.event, str) else runs["outcome"].isin(self.event)
        found = Estimate.of(rows_of(rate(runs, event))[0])
        return found.value, found.of_runs()


@dataclass(frozen=True, slots=True)
class Middle:
    """What is asked: how much of something runs have at their last visit."""

    words: str
    measure: str
    digits: int = 2

    def of(self, runs: pd.DataFrame) -> tuple[float, str]:
        """The median, and how it is told, with the lowest and the highest."""
        values = runs[self.measure].dropna()
        middle, low, high = (f"{value:,.{self.digits}f}" for value in values.quantile([0.5, 0, 1]))
        return float(values.median()), f"{middle} ({low} to {high} in {len(values)} runs)"


SUCCESS = Rate("end stable or nearly stable", frozenset(SUCCESSES))
COLLAPSE = Rate("lose modes or diversity that they had", "collapse_ever")
WON = Rate("end with a discriminator that has won", frozenset({Outcome.SATURATED, Outcome.DOMINATED}))
ABOUT: dict[str, Rate | Middle] = {
    "mode-collapse": COLLAPSE,
    "saturation": WON,
    "vanishing-gradient": WON,
    "latent-2d": Middle("FID excess", "fid_excess"),
    "stacked": Middle("modes of 1,000", "modes", 0),
    "tiny-data": Middle("distance to the nearest training image, of held-out images' own", "memorisation"),
    "conditional": Middle("FID excess", "fid_excess", 3),
}
"""What a study asks of its runs, where it is not success."""
FRAMES, WIDE, DOWN, GAP = 4, 6, 3, 8


def page(name: str, study: Study) -> str:
    """The page of a study in Markdown."""
    lines = [
        f"# {name}",
        comment(STUDIES / f"{name}.yaml"),
        answer(name, study),
        f"![What runs drew from the same noise, from the first visit to the last]({name}.png)",
        "A row a line of this table, from its first visit to its last:",
        _table(name, study),
        f"```\nstability run studies/{name}.yaml\nstability report results/{name}\n```",
        f"Time: {told_time(name)}.",
    ]
    return "\n\n".join(lines) + "\n"


def answer(name: str, study: Study) -> str:
    """Two sentences: where there is most and least of what is asked for, and how all runs ended."""
    asked = ABOUT.get(name, SUCCESS)
    found = [(*asked.of(runs), cell) for cell, runs in _cells(study)]
    (most, much, there), (least, little, here) = (pick(found, key=lambda one: one[0]) for pick in (max, min))
    head = f"Runs {asked.words}" if isinstance(asked, Rate) else asked.words[0].upper() + asked.words[1:]
    if study.frames.spec.configs:
        return f"{len(found)} settings, a run each: {_ended(study.runs)}."
    if most == least:
        return f"{head}: {asked.of(study.runs)[1]}. In all, {_ended(study.runs)}."
    often, rarely = ("most often", "least often") if isinstance(asked, Rate) else ("most", "least")
    told = f"{head}: {often} with {there}, {much}, and {rarely} with {here}, {little}"
    return f"{told}. In all, {_ended(study.runs)}."


def _table(name: str, study: Study) -> str:
    asked = ABOUT.get(name, SUCCESS)
    rows = []
    for cell, runs in _cells(study):
        shown = "`{run}`: *{outcome}*".format(**_typical(runs))
        rows.append(f"| {cell or 'all'} | {shown} | {asked.of(runs)[1]} | {_ended(runs)} |")
    return "\n".join([f"| runs with | shown | {asked.words} | how they ended |", "|---|---|---|---|", *rows])


def _typical(runs: pd.DataFrame) -> pd.Series:
    """The first of those runs that end as most do."""
    return runs[runs["outcome"] == runs["outcome"].value_counts().index[0]].iloc[0]


def _ended(runs: pd.DataFrame) -> str:
    counts = runs["outcome"].value_counts()
    return listed([f"{count} *{outcome}*" for outcome, count in counts.items()])


def picture(study: Study, store: Store) -> Image.Image:
    """A row for each cell of the design: a run's film."""
    return _below([_film(read_filmstrip(store.picture(_typical(runs)["run"]))) for _, runs in _cells(study)])


def _cells(study: Study) -> list[tuple[str, pd.DataFrame]]:
    """The runs of each combination of crossed levels, told in words."""
    if study.frames.spec.configs:
        return [(f"`{name}`", runs) for name, runs in study.runs.groupby(CONFIGURATION, sort=False)]
    crossed = [name for name in crossed_factors(study.frames.spec) if name in study.factors]
    if not crossed:
        return [("", study.runs)]
    groups = study.runs.groupby(crossed, sort=False)
    return [
        (", ".join(f"`{name}` {level}" for name, level in zip(crossed, key, strict=True)), runs)
        for key, runs in groups
    ]


def _film(film: FilmStrip) -> Image.Image:
    last = len(film.steps) - 1
    places = sorted({round(last * part / (FRAMES - 1)) for part in range(FRAMES)})
    wide, scale = min(WIDE, film.images.shape[1]), max(1, round(28 / film.images.shape[2]))
    shown = FilmStrip(film.steps, film.images[:, : wide * DOWN])
    frames = film_frames(shown, places, wide=wide, scale=scale)
    strip = Image.new("RGB", (sum(frame.width + GAP for frame in frames) - GAP, frames[0].height), "white")
    left = 0
    for frame in frames:
        strip.paste(frame, (left, 0))
        left += frame.width + GAP
    return strip


def _below(strips: list[Image.Image]) -> Image.Image:
    size = max(strip.width for strip in strips), sum(strip.height + GAP for strip in strips) - GAP
    sheet, top = Image.new("RGB", size, "white"), 0
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height + GAP
    return sheet


def kept() -> dict[str, Path]:
    """The studies that ship and whose results are kept, and where."""
    places = {path.name: path for folder in RESULTS for path in sorted(folder.glob("*")) if path.is_dir()}
    return {path.stem: places[path.stem] for path in sorted(STUDIES.glob("*.yaml")) if path.stem in places}


def setup(app: Any) -> dict[str, bool]:
    """Write all pages before any is read."""

    def write(app: Any) -> None:
        GALLERY.mkdir(exist_ok=True)
        for name, results in kept().items():
            study, store = Study(load(results)), Store.open(results)
            (GALLERY / f"{name}.md").write_text(page(name, study), encoding="utf-8")
            (GALLERY / f"{name}.png").write_bytes(encode_picture(picture(study, store)))

    app.connect("builder-inited", write, priority=100)  # the table of all studies links to them
    return {"parallel_read_safe": True}

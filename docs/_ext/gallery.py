"""A page and a picture for each study that ships and whose results are kept, made from these.

What a page answers is counted, not written: how often what the study is about happens in each cell of its
design, and how its runs ended. Each interval stands by itself; points are the units, or seeds where a study
has one point.
"""

from __future__ import annotations

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

SUCCESS = "end stable or nearly stable", frozenset(SUCCESSES)
COLLAPSE = "lose modes or diversity that they had", "collapse_ever"
WON = "end with a discriminator that has won", frozenset({Outcome.SATURATED, Outcome.DOMINATED})
ABOUT = {"mode-collapse": COLLAPSE, "saturation": WON, "vanishing-gradient": WON}
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
    """Two sentences: where what is asked for happens most and least often, and how all runs ended."""
    words, asked = ABOUT.get(name, SUCCESS)
    if study.frames.spec.configs:
        return f"{len(_cells(study))} settings, each trained by itself: {_ended(study.runs)}."
    shares = [(_share(runs, asked), cell) for cell, runs in _cells(study)]
    most, least = (pick(shares, key=lambda pair: pair[0].value) for pick in (max, min))
    if most[0].value == least[0].value:
        first = f"Runs that {words}: {_share(study.runs, asked).of_runs()}"
    else:
        often = f"most often with {most[1]}, {most[0].of_runs()}"
        first = f"Runs {words} {often}, and least often with {least[1]}, {least[0].of_runs()}"
    return f"{first}. In all, {_ended(study.runs)}."


def _table(name: str, study: Study) -> str:
    words, asked = ABOUT.get(name, SUCCESS)
    rows = []
    for cell, runs in _cells(study):
        shown = "`{run}`: *{outcome}*".format(**_typical(runs))
        rows.append(f"| {cell or 'all'} | {shown} | {_share(runs, asked).of_runs()} | {_ended(runs)} |")
    return "\n".join([f"| runs with | shown | {words} | how they ended |", "|---|---|---|---|", *rows])


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


def _share(runs: pd.DataFrame, asked: frozenset[Outcome] | str) -> Estimate:
    event = asked if isinstance(asked, str) else runs["outcome"].isin(asked)
    return Estimate.of(rows_of(rate(runs, event))[0])


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

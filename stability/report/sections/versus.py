"""Two studies side by side: what differs in them, both their rates, and the differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from stability.analysis.differences import FEW_POINTS
from stability.analysis.rates import SUCCESS
from stability.analysis.versus import COMPARED, Versus
from stability.report.blocks import Block, Cell, Head, Section, Table, rate_cell
from stability.report.figures.forest import signed
from stability.report.figures.versus import difference_panels, rate_panels
from stability.report.svg import inline_svg
from stability.report.words import NOTHING, interval, listed, plural, share
from stability.spec import Choice


def versus_sections(result: Versus) -> list[Section]:
    """The sections of the page of two studies."""
    blocks = [_rates(result), _differences(result)]
    return [
        Section("settings", "What differs", (_settings(result),)),
        Section("rates", "Side by side", tuple(block for block in blocks if block is not None)),
    ]


def versus_headline(result: Versus) -> list[str]:
    """What the two say about successes, and whether that may be called a difference."""
    shown = result.rates[(result.rates["event"] == SUCCESS) & (result.rates["level"] == result.levels[0])]
    told = [f"“{row['study']}” {_of_runs(row)}" for row in shown.to_dict("records")]
    runs = result.levels[0].removeprefix("all ").capitalize()
    sentences = [f"{runs} that succeeded: {'; '.join(told)}."]
    rows = result.differences
    chosen = rows[(rows["event"] == SUCCESS) & (rows["level"] == result.levels[0])]
    if chosen.empty or pd.isna(chosen["ci_low"].iloc[0]):
        return [*sentences, "Whether that is a difference cannot be estimated from these points."]
    row = chosen.iloc[0]
    bounds = f"{signed(row['estimate'])} [{signed(row['ci_low'])}, {signed(row['ci_high'])}]"
    apart = row["ci_low"] > 0 or row["ci_high"] < 0
    words = "a difference" if apart else "no difference that these points can tell apart"
    return [*sentences, f"That is {words}: {bounds}."]


CLOUDING = (
    (
        ("outcomes.",),
        "The two were labelled with other thresholds: part of a difference may be the label.",
    ),
    (
        ("training.steps",),
        "The two have other horizons: a longer one gives runs more time to fail and to learn.",
    ),
    (
        ("dataset", "image_size", "recording.samples"),
        "The two were measured on other data, sizes of images or numbers of samples: FID ratios do not "
        "compare.",
    ),
)
"""Settings, or how their names begin, and what they do to a comparison where they differ."""


def versus_cautions(result: Versus) -> list[str]:
    """Why a difference may not come from what the reader has in mind."""
    changed = set(result.settings["setting"])
    sentences = [text for names, text in CLOUDING if any(name.startswith(names) for name in changed)]
    lists = [name for name in _lists(result) if f"space.{name}" in changed]
    sentences += [_of_levels(result, name) for name in lists]
    drawn = {name for name in changed if name.startswith("space.")} - {f"space.{name}" for name in lists}
    if drawn and not result.paired:
        sentences.append("The two drew from other spaces: a difference mixes that with what is compared.")
    if len(changed) > 1:
        sentences.append(
            f"{plural(len(changed), 'setting')} differ: a difference cannot be laid to one of them."
        )
    return sentences


def _lists(result: Versus) -> list[str]:
    """The parameters for which a study has a list of levels."""
    spaces = [study.frames.spec.space for study in (result.first, result.second)]
    names = dict.fromkeys(name for space in spaces for name in space)
    return [name for name in names if any(isinstance(space.get(name), Choice) for space in spaces)]


def _of_levels(result: Versus, name: str) -> str:
    levels = result.shared.get(name, ())
    if not levels:
        return f"The two have no level of {name} in common: a difference mixes that with what is compared."
    return (
        f"The two list other levels of {name}: rates and differences are over runs at {listed(levels)} "
        "alone, which both have."
    )


def _of_runs(row: Mapping[Any, Any]) -> str:
    if pd.isna(row["estimate"]):
        return str(row["reason"])
    bounds = interval(row["ci_low"], row["ci_high"])
    return f"{share(row['estimate'])} {bounds} of {plural(int(row['n_runs']), 'run')}"


def _settings(result: Versus) -> Block:
    rows = tuple(
        tuple(Cell(str(text)) for text in row) for row in result.settings.itertuples(index=False, name=None)
    )
    heads = (Head("setting", is_number=False), *(Head(name, is_number=False) for name in result.names))
    same = "Both study files say the same." if not rows else ""
    return Block(
        key="settings-that-differ",
        question="What do the two study files say differently?",
        finding=same,
        figure=None,
        note="Settings that are not listed are the same in both.",
        tables=(Table("Settings that differ", heads, rows),) if rows else (),
        data=result.settings,
    )


def _rates(result: Versus) -> Block:
    events = [name for name in COMPARED if name in set(result.rates["event"])]
    known = result.rates["estimate"].notna().any()
    figure = rate_panels(result.rates, result.names, result.levels, events) if known else None
    told = versus_headline(result)[0]
    return Block(
        key="rates-of-both",
        question="How often do runs succeed, diverge, collapse and saturate in each?",
        finding="",
        figure=inline_svg(figure, "rates-of-both", f"Rates of both studies with intervals. {told}")
        if figure is not None
        else None,
        note=(
            "95% Wilson intervals with the points as units, each by itself. A collapse counts where a run "
            "had been good before. Where the two have some levels "
            "of a parameter in common, only runs at these count."
        ),
        tables=(_rate_table(result),),
        data=result.rates,
    )


def _rate_table(result: Versus) -> Table:
    """Levels and studies down, all outcomes and events across."""
    events = list(dict.fromkeys(result.rates["event"]))
    cells = {(row["level"], row["study"], row["event"]): row for row in result.rates.to_dict("records")}
    rows = []
    for level in result.levels:
        for name in result.names:
            shown = [cells[level, name, event] for event in events]
            sizes = (Cell(str(shown[0]["n_points"])), Cell(str(shown[0]["n_runs"])))
            rows.append((Cell(level), Cell(name), *(rate_cell(row) for row in shown), *sizes))
    heads = (
        Head(result.factor or "", is_number=False),
        Head("study", is_number=False),
        *(Head(event.replace("_", " "), is_number=False) for event in events),
        Head("n_points"),
        Head("n_runs"),
    )
    return Table(
        "All outcomes and events [95% interval]", heads, tuple(rows), folded="All outcomes and events"
    )


def _differences(result: Versus) -> Block | None:
    rows = result.differences
    if rows.empty:
        return None
    known = rows["estimate"].notna().any()
    figure = difference_panels(rows, result.names, result.levels, COMPARED) if known else None
    how = (
        "Both trained the same points, so differences are taken point by point (Student’s t)"
        if result.paired
        else "The two have points of their own, so their points’ shares are compared (Welch’s t)"
    )
    finding = _finding(rows)
    return Block(
        key="differences-of-both",
        question=f"Where does “{result.names[0]}” differ from “{result.names[1]}”?",
        finding=finding,
        figure=inline_svg(figure, "differences-of-both", f"Differences with intervals. {finding}")
        if figure is not None
        else None,
        note=(
            f"{how}, widened by Wilson’s intervals where fewer than {FEW_POINTS} points stand out. Intervals "
            f"hold for all {len(rows)} rows at once (Bonferroni), p-values are Holm’s over all of them."
        ),
        tables=(_difference_table(rows),),
        data=rows,
    )


def _finding(rows: pd.DataFrame) -> str:
    apart = rows[(rows["ci_low"] > 0) | (rows["ci_high"] < 0)]
    if apart.empty:
        return "Nowhere by more than these points can tell apart."
    names = [
        f"{str(row['event']).replace('_', ' ')} ({row['level']}): {signed(row['estimate'])}"
        for row in apart.to_dict("records")
    ]
    return f"{listed(names)}."


def _difference_table(rows: pd.DataFrame) -> Table:
    heads = [Head("event", is_number=False), Head("level", is_number=False)]
    heads += [Head("difference", is_number=False), Head("p (Holm)"), Head("n_points"), Head("n_runs")]
    cells = []
    for row in rows.to_dict("records"):
        bounds = f"[{signed(row['ci_low'])}, {signed(row['ci_high'])}]"
        known = pd.notna(row["ci_low"])
        cells.append(
            (
                Cell(str(row["event"]).replace("_", " ")),
                Cell(str(row["level"])),
                Cell(signed(row["estimate"]), bounds if known else "[no interval]", str(row["reason"])),
                Cell(NOTHING if pd.isna(row["p_holm"]) else f"{row['p_holm']:.3f}".lstrip("0")),
                Cell(f"{row['n_points']:,}"),
                Cell(f"{row['n_runs']:,}"),
            )
        )
    return Table("Differences with simultaneous 95% intervals", tuple(heads), tuple(cells))

"""Two studies side by side: what differs in them, both their rates, and the differences."""

from __future__ import annotations

import pandas as pd

from stability.page_kit.blocks import Block, Section
from stability.page_kit.estimate import Estimate, Row, rows_of
from stability.page_kit.svg import inline_svg
from stability.page_kit.tables import SIZES, Column, Table, across, columns, estimated, sizes, table, texts
from stability.page_kit.words import listed, p_text, plural, signed, spaced
from stability.questions.two_studies.estimate import SIDE_BY_SIDE, Versus
from stability.questions.two_studies.figure import difference_panels, rate_panels
from stability.spec import Choice
from stability.statistics.paired_tests import FEW_POINTS
from stability.statistics.rates import SUCCESS


def versus_sections(result: Versus) -> list[Section]:
    """The sections of the page of two studies."""
    blocks = [_rates(result), _differences(result), _transfer(result)]
    return [
        Section("settings", "What differs", (_settings(result),)),
        Section("rates", "Side by side", tuple(block for block in blocks if block is not None)),
    ]


def versus_headline(result: Versus) -> list[str]:
    """What the two say about successes, and whether that may be called a difference."""
    level = result.levels[0]
    rates, differences = (
        rows_of(frame[(frame["event"] == SUCCESS) & (frame["level"] == level)])
        for frame in (result.rates, result.differences)
    )
    runs, told = level.removeprefix("all ").capitalize(), "; ".join(map(_of_runs, rates))
    first = f"{runs} that succeeded: {told}."
    difference = Estimate.of(differences[0]) if differences else None
    if difference is None or difference.ci_low != difference.ci_low:
        return [first, "Whether that is a difference cannot be estimated from these points."]
    apart = difference.ci_low > 0 or difference.ci_high < 0
    words = "a difference" if apart else "no difference that these points can tell apart"
    return [first, f"That is {words}: {difference.text(signed)}."]


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


def _of_runs(row: Row) -> str:
    rate = Estimate.of(row)
    return f"“{row['study']}” " + (f"{rate.text()} of {rate.runs}" if rate.is_known else rate.reason)


def _settings(result: Versus) -> Block:
    rows = list(result.settings.itertuples(index=False, name=None))
    heads = dict(enumerate(("setting", *result.names)))
    shown = columns(heads, lambda place, row: str(row[place]), is_number=False)
    return Block(
        key="settings-that-differ",
        question="What do the two study files say differently?",
        finding="" if rows else "Both study files say the same.",
        note="Settings that are not listed are the same in both.",
        tables=(table("Settings that differ", rows, shown),) if rows else (),
        data=result.settings,
    )


RATES_NOTE = (
    "95% Wilson intervals with the points as units, each by itself. A collapse counts where a run had been "
    "good before. Where the two have some levels of a parameter in common, only runs at these count."
)


def _rates(result: Versus) -> Block:
    events = [name for name in SIDE_BY_SIDE if name in set(result.rates["event"])]
    figure = None
    if result.rates["estimate"].notna().any():
        drawn = rate_panels(result.rates, result.names, result.levels, events)
        alt = f"Rates of both studies with intervals. {versus_headline(result)[0]}"
        figure = inline_svg(drawn, "rates-of-both", alt)
    return Block(
        key="rates-of-both",
        question="How often do runs succeed, diverge, collapse and saturate in each?",
        figure=figure,
        note=RATES_NOTE,
        tables=(_rate_table(result),),
        data=result.rates,
    )


def _rate_table(result: Versus) -> Table:
    """Levels and studies down, all outcomes and events across."""
    found = {((row["level"], row["study"]), row["event"]): row for row in rows_of(result.rates)}
    events = dict.fromkeys(result.rates["event"])
    shown = (
        Column(result.factor or "", lambda row: str(row[0]), is_number=False),
        Column("study", lambda row: str(row[1]), is_number=False),
        *across(found, {event: spaced(event) for event in events}),
        *sizes(found, next(iter(events))),
    )
    rows = [(level, name) for level in result.levels for name in result.names]
    words = "All outcomes and events"
    return table(f"{words} [95% interval]", rows, shown, words)


def _differences(result: Versus) -> Block | None:
    rows = result.differences
    if rows.empty:
        return None
    how = (
        "Both trained the same points, so differences are taken point by point (Student’s t)"
        if result.paired
        else "The two have points of their own, so their points’ shares are compared (Welch’s t)"
    )
    finding, figure = _finding(rows), None
    if rows["estimate"].notna().any():
        drawn = difference_panels(rows, result.names, result.levels, SIDE_BY_SIDE)
        figure = inline_svg(drawn, "differences-of-both", f"Differences with intervals. {finding}")
    shown = (
        Column("event", lambda row: spaced(row["event"]), is_number=False),
        *texts(level="level"),
        estimated("difference", signed),
        Column("p (Holm)", lambda row: p_text(row["p_holm"])),
        *SIZES,
    )
    return Block(
        key="differences-of-both",
        question=f"Where does “{result.names[0]}” differ from “{result.names[1]}”?",
        finding=finding,
        figure=figure,
        note=(
            f"{how}, widened by Wilson’s intervals where fewer than {FEW_POINTS} points stand out. Intervals "
            f"hold for all {len(rows)} rows at once (Bonferroni), p-values are Holm’s over all of them."
        ),
        tables=(table("Differences with simultaneous 95% intervals", rows_of(rows), shown),),
        data=rows,
    )


TRANSFER_NOTE = (
    "Over the runs of one point, level and seed that both trained. The correlation (Spearman’s) is of the "
    "points’ shares of successes: 1 where the points that do best in one do best in the other, 0 where that "
    "says nothing. Kappa (Cohen’s) is how often runs get the same label beyond chance. 95% intervals over "
    "points: a rate’s, the others jackknifed on Fisher’s scale."
)


def _transfer(result: Versus) -> Block | None:
    rows = rows_of(result.transfer)
    if not rows:
        return None
    shown = (*texts(what="what"), estimated("estimate"), *SIZES)
    ranks, same, _ = (Estimate.of(row) for row in rows)
    told = [f"{same.text()} of the runs end the same way"] if same.is_known else []
    told += [f"the points’ order agrees by {ranks.text(signed)}"] if ranks.is_known else []
    return Block(
        key="what-carries-over",
        question=f"Does what holds in “{result.names[0]}” hold in “{result.names[1]}”?",
        finding=f"{'; '.join(told)}." if told else "These points cannot tell.",
        note=TRANSFER_NOTE,
        tables=(table("What carries over", rows, shown),),
        data=result.transfer,
    )


def _finding(rows: pd.DataFrame) -> str:
    apart = rows[(rows["ci_low"] > 0) | (rows["ci_high"] < 0)]
    if apart.empty:
        return "Nowhere by more than these points can tell apart."
    names = [f"{spaced(row['event'])} ({row['level']}): {signed(row['estimate'])}" for row in rows_of(apart)]
    return f"{listed(names)}."

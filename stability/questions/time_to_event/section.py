"""Time to the first event: how long runs go without it, how levels differ, who recovers, what comes first."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from stability.page_kit.blocks import Block
from stability.page_kit.estimate import Cell, Row, missing, rows_of, text_of
from stability.page_kit.svg import inline_svg
from stability.page_kit.tables import (
    SIZES,
    Column,
    Table,
    across,
    by_two,
    counts,
    estimated,
    levels_of,
    sizes,
    table,
    texts,
)
from stability.page_kit.words import by_levels, joined, listed, number, plural, slug, steps, verb
from stability.questions.time_to_event.estimate import MOST_LEFT, Survival
from stability.questions.time_to_event.figure import difference_forest, end_curves, survival_curves
from stability.questions.time_to_event.incidence import Incidence
from stability.questions.time_to_event.recovery import AFTER
from stability.reading.study import ALL, Study
from stability.records import EventKind

CENSORING = (
    "Kaplan-Meier takes runs that leave to be as prone to a {kind} as those that stay, which a run that "
    "diverges need not be."
)

STOPS_COMPETE = (
    " {stopped} stopped early without a {kind}. A stop competes with it: such a run counts as one that never "
    "has it (Aalen and Johansen’s cumulative incidence, taken from 1), so that a share is that of this "
    "study with its early stop, not of runs left to train on."
)

CURVES_NOTE = (
    "Left: Kaplan-Meier curves, which can change at visits only. A run leaves the count when it ends "
    "without the event, at the horizon or diverged; a tick on a curve marks such losses"
    f" before the horizon. {CENSORING}{{stops}} Beside the end of each curve: its 95% interval there, from "
    "the variance between points. The numbers below count the runs still seen and free of the event. Right: "
    "runs that are in the event at a visit, of all runs; the curve falls when runs recover or diverge, and a "
    "run that was stopped stays as it was."
)

RECOVERY_NOTE = (
    "Who recovers is asked by a run's first {kind}; one that diverges without recovering counts as not "
    "recovered. Where any run was stopped for its {kind}, no share is given: a run is stopped only if it did "
    "not recover at once, so that the share among the others would be too high. The last table follows the "
    "same runs from the event on: there recovery, an early stop and a divergence compete, and only the "
    "horizon takes runs from sight (Aalen and Johansen); the median wait goes by it, too."
)

NEVER_GOOD_NOTE = (
    " Only a run that had been good can lose anything: one that never was and ends collapsed, wholly or in "
    "part, counts here as a run without a collapse, and in the table of recoveries in a column of its own."
)

MEANS_NOTE = (
    "The mean number of steps without the event up to the last visit is the area under the curve on the"
    f" left above. {CENSORING} A run that was stopped counts as one without a {{kind}} from then on, and as "
    f"one that left. So a pair is not put into words where more than {MOST_LEFT:.0%} of the runs "
    "of either level left before the last visit without the event. A filled diamond is a difference whose "
    "interval leaves out zero; an open circle is one whose interval does not. The intervals hold for all "
    "these pairs at once (Bonferroni) and rest on the points, which the levels share in a crossed study."
)

ENDS_NOTE = (
    "Each run counts once, under what it met first; at the same visit, {kind} comes before saturation, "
    "and both before a divergence or a stop. The ends compete, an early stop among them: none takes a run "
    "out of the count, so that a line is a cumulative incidence (Aalen and Johansen). Bands are 95% Wilson "
    "intervals for runs that share points. The lines of a panel add up to the share of runs that met any of "
    "these."
)


def survival_blocks(study: Study, survival: Survival, incidence: Incidence) -> list[Block]:
    """The questions about time that the study can answer; none where it has no runs or no visits."""
    if survival.curves.empty:
        return []
    seen = set(survival.means[survival.factor])
    levels = [level for level in study.order(survival.factor) if level in seen]
    blocks = [_curves(survival, incidence, levels)]
    if survival.differences["estimate"].notna().any():
        blocks.append(_differences(survival))
    if len(incidence.ends):
        blocks.append(_ends(incidence, levels))
    return blocks


def _curves(survival: Survival, incidence: Incidence, levels: Sequence[str]) -> Block:
    kind, by, factor = survival.kind, by_levels(survival.factor), survival.factor
    last = {row[factor]: row for row in rows_of(survival.curves.groupby(factor, sort=False).tail(1))}
    told = "; ".join(f"{level} {text_of(last[level])}" for level in levels)
    alt = (
        f"Step curves of the share of runs without a {kind} so far{by}, the runs at risk below them, and the "
        f"share of runs that are in {kind}. Without a {kind} at step {number(survival.visits[-1])}: {told}."
    )
    figure = survival_curves(survival, incidence.prevalence, levels)
    key = f"time-to-{slug(kind)}"
    return Block(
        key=key,
        question=f"How long do runs go without a {kind}{by}?",
        finding=_curve_finding(survival, incidence),
        figure=inline_svg(figure, key, alt),
        note=_curves_note(survival, incidence),
        tables=(
            _mean_table(survival, levels),
            _recovery_table(incidence, levels),
            *_after_tables(incidence, levels),
        ),
        data=survival.curves,
    )


def _curve_finding(survival: Survival, incidence: Incidence) -> str:
    kind, means = survival.kind, survival.means
    event = f"a {kind}{' after being good' if kind == EventKind.COLLAPSE else ''}"  # else nothing is lost
    n_events, runs = int(means["n_events"].sum()), plural(int(means["n_runs"].sum()), "run")
    if n_events == 0:
        return f"No run had {event} at any visit, of {runs}."
    lacking = [str(level) for level in means.loc[means["estimate"].isna(), survival.factor]]
    unknown = f"The mean time is not estimable for {listed(lacking)}: no run is left to be seen at the end."
    first = f"{n_events:,} of {runs} had {event} at some visit."
    return joined(first, *_recovery_sentences(incidence.recoveries), unknown if lacking else "")


def _recovery_sentences(recoveries: pd.DataFrame) -> list[str]:
    """What became of the runs that had the event: those that had nothing to lose are told apart."""
    never, lost, stopped, recovered = (
        int(recoveries[name].sum()) for name in ("never_good", "lost", "stopped", "recovered")
    )
    end = verb(never, "ends", "end")
    told = {
        f"{never:,} more never were good and {end} collapsed: there was nothing to lose.": never,
        f"The first one was over again in {recovered:,} of {lost:,}.": lost,
        f"{stopped:,} of the {lost:,} had been stopped for it and could not recover.": stopped,
    }
    return [sentence for sentence, count in told.items() if count]


def _curves_note(survival: Survival, incidence: Incidence) -> str:
    recovery = f" {RECOVERY_NOTE}" if incidence.recoveries["had"].any() else ""
    n_stopped = int(survival.curves["stopped"].sum())
    stopped = f"{plural(n_stopped, 'run')} {verb(n_stopped, 'was', 'were')}"
    stops = STOPS_COMPETE.format(stopped=stopped, kind=survival.kind) if n_stopped else ""
    never_good = NEVER_GOOD_NOTE if survival.kind == EventKind.COLLAPSE else ""
    return f"{CURVES_NOTE}{never_good}{recovery}".format(kind=survival.kind, stops=stops)


def _differences(survival: Survival) -> Block:
    kind, pairs = survival.kind, survival.differences
    known = rows_of(pairs[pairs["estimate"].notna()])
    told = "; ".join(f"{row['level']} minus {row['other']} {text_of(row, steps)}" for row in known)
    alt = f"Differences of the mean steps without a {kind}, with intervals. {told}."
    columns = (Column("pair", _pair, is_number=False), estimated("difference, steps", steps), *SIZES)
    caption = (
        f"Difference of the mean steps without a {kind} [95% intervals for all {survival.family} at once]"
    )
    key = f"time-to-{slug(kind)}-differences"
    return Block(
        key=key,
        question=f"Does the {survival.factor} change how long runs go without a {kind}?",
        finding=_difference_finding(survival),
        figure=inline_svg(difference_forest(survival), key, alt),
        note=MEANS_NOTE.format(kind=kind),
        tables=(table(caption, rows_of(pairs), columns, "All pairs as numbers"),),
        data=pairs,
    )


def _pair(row: Row) -> Cell:
    left = "" if row["comparable"] else "too many runs of one of them left before the last visit"
    return Cell(f"{row['level']} − {row['other']}", "", left)


def _difference_finding(survival: Survival) -> str:
    compared = survival.differences[survival.differences["comparable"].astype(bool)]
    pairs = compared[compared["ci_low"].notna()]
    apart = pairs[(pairs["ci_low"] > 0) | (pairs["ci_high"] < 0)]
    known, n_unknown = plural(len(pairs), "pair"), len(compared) - len(pairs)
    unknown = f"{plural(n_unknown, 'pair')} cannot be compared." if n_unknown else ""
    if compared.empty:
        first = ""
    elif pairs.empty:
        first, unknown = f"No pair of levels can be compared: {compared['reason'].iloc[0]}.", ""
    elif apart.empty:
        first = f"No difference can be told from zero, in {known}: all intervals contain it."
    else:
        first = f"{len(apart):,} of {known} can be told apart. {_largest(apart, survival.kind)}"
    return joined(first, unknown, _not_compared(survival))


def _largest(apart: pd.DataFrame, kind: str) -> str:
    top = rows_of(apart.sort_values("estimate", key=abs))[-1]
    first, second = (top["level"], top["other"]) if top["estimate"] > 0 else (top["other"], top["level"])
    low, high = sorted(abs(top[name]) for name in ("ci_low", "ci_high"))
    longer = text_of({"estimate": abs(top["estimate"]), "ci_low": low, "ci_high": high}, steps)
    return (
        f"The largest: the estimated mean time without a {kind} is {longer} steps longer under {first} than "
        f"under {second}."
    )


def _not_compared(survival: Survival) -> str:
    """The pairs that are not put into words, and why: too many of their runs left without the event."""
    left_out = int((~survival.differences["comparable"].astype(bool)).sum())
    if not left_out:
        return ""
    means = survival.means[survival.means["n_left"] > MOST_LEFT * survival.means["n_runs"]]
    levels = [
        f"{row[survival.factor]} ({row['n_left']:,} of {plural(row['n_runs'], 'run')})"
        for row in rows_of(means)
    ]
    return (
        f"{plural(left_out, 'pair')} {verb(left_out, 'is', 'are')} not compared here: more than "
        f"{MOST_LEFT:.0%} of the runs left without a {survival.kind} before the last visit under "
        f"{listed(levels)}, and whether they would have had one is not known."
    )


def _ends(incidence: Incidence, levels: Sequence[str]) -> Block:
    factor = incidence.factor
    last = incidence.ends.groupby([factor, "end"], sort=False).tail(1)
    told = "; ".join(f"{row[factor]} {row['end']} {text_of(row)}" for row in rows_of(last))
    alt = f"Share of runs that met each end first, by step. At the last visit: {told}."
    runs = last.groupby("end", sort=False)["runs"].sum()
    counted = listed([f"{kind} in {plural(int(n), 'run')}" for kind, n in runs.items()])
    found, kinds = by_two(last, factor, "end"), {kind: str(kind) for kind in runs.index}
    columns = (levels_of(factor), *across(found, kinds), *sizes(found, next(iter(kinds))))
    return Block(
        key=f"first-of-{slug(incidence.kind)}-and-others",
        question="What do runs meet first?",
        finding=f"Over all levels, what came first was {counted}.",
        figure=inline_svg(end_curves(incidence.ends, factor, levels), "first-ends", alt),
        note=ENDS_NOTE.format(kind=incidence.kind),
        tables=(
            table("Share of runs that met this first, by the last visit [95% interval]", levels, columns),
        ),
        data=incidence.ends,
    )


def _mean_table(survival: Survival, levels: Sequence[str]) -> Table:
    kind, rows = survival.kind, survival.means.set_index(survival.factor, drop=False).loc[list(levels)]
    columns = (
        _levels_in(survival.factor),
        estimated("mean steps", steps),
        *counts(n_events=f"runs with a {kind}", n_left="left before the end"),
        *SIZES,
    )
    horizon = number(max(survival.visits, default=0))
    return table(f"Mean steps without a {kind} up to step {horizon} [95% interval]", rows_of(rows), columns)


def _recovery_table(incidence: Incidence, levels: Sequence[str]) -> Table:
    rows = incidence.recoveries.set_index(incidence.factor, drop=False).loc[list(levels)]
    columns = (
        _levels_in(incidence.factor),
        *counts(
            had="runs that had one",
            never_good="never good before",
            stopped="stopped for it",
            recovered="recovered",
        ),
        estimated("share recovered, of those good before"),
        Column("median steps to recovery", _median_wait),
        *counts(n_points="n_points"),
    )
    caption = f"Recovery from the first {incidence.kind} [95% interval]"
    return table(
        caption,
        rows_of(rows),
        columns,
        f"Who recovers from a {incidence.kind}",
        f"recoveries-{slug(incidence.kind)}",
    )


def _levels_in(factor: str) -> Column:
    return texts(**{factor: "" if factor == ALL else factor})[0]


def _median_wait(row: Row) -> Cell:
    known = pd.notna(row["median_steps"])
    return Cell(number(row["median_steps"])) if known else missing(row["median_reason"])


def _after_tables(incidence: Incidence, levels: Sequence[str]) -> list[Table]:
    """What came first after the event, by half the steps after it that are seen at all; none for no runs."""
    after = incidence.after
    if after.empty:
        return []
    waits = sorted(set(after["since"]))
    since = next(wait for wait in reversed(waits) if wait <= waits[-1] / 2)
    found = by_two(after[after["since"] == since], incidence.factor, "end")
    behind = {"at_risk": "runs still waited for", "n_points": "n_points", "n_runs": "n_runs"}
    columns = (
        levels_of(incidence.factor),
        *across(found, {end: end for end in AFTER}),
        *sizes(found, AFTER[0], **behind),
    )
    rows = [level for level in levels if (level, AFTER[0]) in found]
    caption = (
        f"What came first within {number(since)} steps of the first {incidence.kind}, of runs that had been "
        "good before: ends that compete [95% interval]"
    )
    key = f"after-{slug(incidence.kind)}"
    return [table(caption, rows, columns, f"What follows a {incidence.kind}", key)]

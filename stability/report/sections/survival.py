"""Time to the first event: how long runs go without it, how levels differ, who recovers, what comes first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from stability.analysis.aftermath import AFTER
from stability.analysis.incidence import Incidence
from stability.analysis.study import ALL, Study
from stability.analysis.survival import MOST_LEFT, Survival
from stability.records import EventKind
from stability.report.blocks import Block, Cell, Head, Table, rate_cell
from stability.report.figures.survival import difference_forest, end_curves, survival_curves
from stability.report.svg import inline_svg
from stability.report.words import NOTHING, interval, listed, number, plural, share

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
    levels = [
        level for level in study.order(survival.factor) if level in set(survival.means[survival.factor])
    ]
    blocks = [_curves(survival, incidence, levels)]
    if len(survival.differences) and survival.differences["estimate"].notna().any():
        blocks.append(_differences(survival))
    if len(incidence.ends):
        blocks.append(_ends(incidence, levels))
    return blocks


def _curves(survival: Survival, incidence: Incidence, levels: Sequence[str]) -> Block:
    kind, by = survival.kind, _by(survival.factor)
    figure = survival_curves(survival, incidence.prevalence, levels)
    last = survival.curves.groupby(survival.factor, sort=False).tail(1).set_index(survival.factor)
    told = [f"{level} {_estimate(last.loc[level])}" for level in levels]
    alt = (
        f"Step curves of the share of runs without a {kind} so far{by}, the runs at risk below them, and the "
        f"share of runs that are in {kind}. Without a {kind} at step {number(int(last['step'].iloc[0]))}: "
        f"{'; '.join(told)}."
    )
    return Block(
        key=f"time-to-{_slug(kind)}",
        question=f"How long do runs go without a {kind}{by}?",
        finding=_curve_finding(survival, incidence),
        figure=inline_svg(figure, f"time-to-{_slug(kind)}", alt),
        note=_curves_note(survival, incidence),
        tables=(
            _mean_table(survival, levels),
            _recovery_table(incidence, levels),
            *_after_tables(incidence, levels),
        ),
        data=survival.curves,
    )


def _curve_finding(survival: Survival, incidence: Incidence) -> str:
    kind, recoveries = survival.kind, incidence.recoveries
    n_events, n_runs = int(survival.means["n_events"].sum()), int(survival.means["n_runs"].sum())
    if n_events == 0:
        return f"No run had a {kind}{_after_good(kind)} at any visit, of {plural(n_runs, 'run')}."
    sentences = [
        f"{n_events:,} of {plural(n_runs, 'run')} had a {kind}{_after_good(kind)} at some visit.",
        *_recovery_sentences(recoveries),
    ]
    missing = survival.means[survival.means["estimate"].isna()]
    if len(missing):
        names = listed([str(level) for level in missing[survival.factor]])
        sentences.append(f"The mean time is not estimable for {names}: no run is left to be seen at the end.")
    return " ".join(sentence for sentence in sentences if sentence)


def _after_good(kind: str) -> str:
    """Of collapses only those count that took something away."""
    return " after being good" if kind == EventKind.COLLAPSE else ""


def _recovery_sentences(recoveries: pd.DataFrame) -> list[str]:
    """What became of the runs that had the event: those that had nothing to lose are told apart."""
    never, lost, stopped, recovered = (
        int(recoveries[name].sum()) for name in ("never_good", "lost", "stopped", "recovered")
    )
    told = []
    if never:
        ends = "ends" if never == 1 else "end"
        told.append(f"{never:,} more never were good and {ends} collapsed: there was nothing to lose.")
    if lost:
        told.append(f"The first one was over again in {recovered:,} of {lost:,}.")
    if stopped:
        told.append(f"{stopped:,} of the {lost:,} had been stopped for it and could not recover.")
    return told


def _curves_note(survival: Survival, incidence: Incidence) -> str:
    recovery = f" {RECOVERY_NOTE}" if incidence.recoveries["had"].any() else ""
    n_stopped = int(survival.curves["stopped"].sum())
    stopped = f"{plural(n_stopped, 'run')} {'was' if n_stopped == 1 else 'were'}"
    stops = STOPS_COMPETE.format(stopped=stopped, kind=survival.kind) if n_stopped else ""
    never_good = NEVER_GOOD_NOTE if survival.kind == EventKind.COLLAPSE else ""
    return f"{CURVES_NOTE}{never_good}{recovery}".format(kind=survival.kind, stops=stops)


def _differences(survival: Survival) -> Block:
    kind, pairs = survival.kind, survival.differences
    told = [
        f"{row['level']} minus {row['other']} {_steps(row)}"
        for row in _rows(pairs)
        if pd.notna(row["estimate"])
    ]
    alt = f"Differences of the mean steps without a {kind}, with intervals. {'; '.join(told)}."
    rows = tuple(
        (
            Cell(f"{row['level']} − {row['other']}", "", "" if row["comparable"] else _TOO_MANY_LEFT),
            _steps_cell(row),
            Cell(f"{row['n_points']:,}"),
            Cell(f"{row['n_runs']:,}"),
        )
        for row in _rows(pairs)
    )
    heads = (Head("pair", is_number=False), Head("difference, steps"), Head("n_points"), Head("n_runs"))
    caption = (
        f"Difference of the mean steps without a {kind} [95% intervals for all {survival.family} at once]"
    )
    return Block(
        key=f"time-to-{_slug(kind)}-differences",
        question=f"Does the {survival.factor} change how long runs go without a {kind}?",
        finding=_difference_finding(survival),
        figure=inline_svg(difference_forest(survival), f"time-to-{_slug(kind)}-differences", alt),
        note=MEANS_NOTE.format(kind=kind),
        tables=(Table(caption, heads, rows, folded="All pairs as numbers"),),
        data=pairs,
    )


_TOO_MANY_LEFT = "too many runs of one of them left before the last visit"


def _difference_finding(survival: Survival) -> str:
    compared = survival.differences[survival.differences["comparable"].astype(bool)]
    pairs = compared[compared["ci_low"].notna()]
    apart = pairs[(pairs["ci_low"] > 0) | (pairs["ci_high"] < 0)]
    known, unknown = plural(len(pairs), "pair"), len(compared) - len(pairs)
    rest = [f"{plural(unknown, 'pair')} cannot be compared." if unknown else "", _not_compared(survival)]
    if len(compared) == 0:
        first = ""
    elif pairs.empty:
        first, rest[0] = f"No pair of levels can be compared: {compared['reason'].iloc[0]}.", ""
    elif apart.empty:
        first = f"No difference can be told from zero, in {known}: all intervals contain it."
    else:
        first = f"{len(apart):,} of {known} can be told apart. {_largest(apart, survival.kind)}"
    return " ".join(sentence for sentence in (first, *rest) if sentence)


def _largest(apart: pd.DataFrame, kind: str) -> str:
    top = apart.sort_values("estimate", key=abs).iloc[-1]
    first, second = (top["level"], top["other"]) if top["estimate"] > 0 else (top["other"], top["level"])
    ends = sorted(abs(float(top[name])) for name in ("ci_low", "ci_high"))
    steps = f"{number(round(abs(float(top['estimate']))))} [{', '.join(number(round(end)) for end in ends)}]"
    return (
        f"The largest: the estimated mean time without a {kind} is {steps} steps longer under {first} "
        f"than under {second}."
    )


def _not_compared(survival: Survival) -> str:
    """The pairs that are not put into words, and why: too many of their runs left without the event."""
    left_out = int((~survival.differences["comparable"].astype(bool)).sum())
    if not left_out:
        return ""
    means = survival.means[survival.means["n_left"] > MOST_LEFT * survival.means["n_runs"]]
    levels = [
        f"{row[survival.factor]} ({row['n_left']:,} of {plural(row['n_runs'], 'run')})"
        for row in _rows(means)
    ]
    return (
        f"{plural(left_out, 'pair')} {'is' if left_out == 1 else 'are'} not compared here: more than "
        f"{MOST_LEFT:.0%} of the runs left without a {survival.kind} before the last visit under "
        f"{listed(levels)}, and whether they would have had one is not known."
    )


def _ends(incidence: Incidence, levels: Sequence[str]) -> Block:
    last = incidence.ends.groupby([incidence.factor, "end"], sort=False).tail(1)
    told = [f"{row[incidence.factor]} {row['end']} {_estimate(row)}" for row in _rows(last)]
    kinds = list(dict.fromkeys(incidence.ends["end"]))
    runs = last.groupby("end", sort=False)["runs"].sum()
    counts = listed([f"{kind} in {plural(int(runs[kind]), 'run')}" for kind in kinds])
    heads = (
        Head("" if incidence.factor == ALL else incidence.factor, is_number=False),
        *(Head(kind, is_number=False) for kind in kinds),
        Head("n_points"),
        Head("n_runs"),
    )
    rows = []
    for level in levels:
        here = {row["end"]: row for row in _rows(last[last[incidence.factor] == level])}
        sizes = next(iter(here.values()))
        ends = [here[kind] for kind in kinds]
        cells = [Cell(share(row["estimate"]), _interval(row), row["reason"]) for row in ends]
        rows.append((Cell(level), *cells, Cell(f"{sizes['n_points']:,}"), Cell(f"{sizes['n_runs']:,}")))
    alt = f"Share of runs that met each end first, by step. At the last visit: {'; '.join(told)}."
    caption = "Share of runs that met this first, by the last visit [95% interval]"
    return Block(
        key=f"first-of-{_slug(incidence.kind)}-and-others",
        question="What do runs meet first?",
        finding=f"Over all levels, what came first was {counts}.",
        figure=inline_svg(end_curves(incidence.ends, incidence.factor, levels), "first-ends", alt),
        note=ENDS_NOTE.format(kind=incidence.kind),
        tables=(Table(caption, heads, tuple(rows)),),
        data=incidence.ends,
    )


def _mean_table(survival: Survival, levels: Sequence[str]) -> Table:
    rows = {row[survival.factor]: row for row in _rows(survival.means)}
    horizon = number(max(survival.visits, default=0))
    cells = tuple(
        (
            Cell(level),
            _steps_cell(rows[level]),
            Cell(f"{rows[level]['n_events']:,}"),
            Cell(f"{rows[level]['n_left']:,}"),
            Cell(f"{rows[level]['n_points']:,}"),
            Cell(f"{rows[level]['n_runs']:,}"),
        )
        for level in levels
    )
    heads = ("mean steps", f"runs with a {survival.kind}", "left before the end", "n_points", "n_runs")
    first = Head("" if survival.factor == ALL else survival.factor, is_number=False)
    caption = f"Mean steps without a {survival.kind} up to step {horizon} [95% interval]"
    return Table(caption, (first, *(Head(head) for head in heads)), cells)


def _recovery_table(incidence: Incidence, levels: Sequence[str]) -> Table:
    rows = {row[incidence.factor]: row for row in _rows(incidence.recoveries)}
    cells = []
    for level in levels:
        row = rows[level]
        known = pd.notna(row["estimate"])
        recovered = (
            Cell(share(row["estimate"]), _interval(row), row["reason"]) if known else _missing(row["reason"])
        )
        median = row["median_steps"]
        wait = Cell(number(median)) if pd.notna(median) else _missing(row["median_reason"])
        counts = (Cell(f"{row[name]:,}") for name in ("had", "never_good", "stopped", "recovered"))
        cells.append((Cell(level), *counts, recovered, wait, Cell(f"{row['n_points']:,}")))
    heads = (
        "runs that had one",
        "never good before",
        "stopped for it",
        "recovered",
        "share recovered, of those good before",
        "median steps to recovery",
        "n_points",
    )
    first = Head("" if incidence.factor == ALL else incidence.factor, is_number=False)
    caption = f"Recovery from the first {incidence.kind} [95% interval]"
    return Table(
        caption,
        (first, *(Head(head) for head in heads)),
        tuple(cells),
        folded=f"Who recovers from a {incidence.kind}",
    )


def _after_tables(incidence: Incidence, levels: Sequence[str]) -> list[Table]:
    """What came first after the event, by half the steps after it that are seen at all; none for no runs."""
    after = incidence.after
    if after.empty:
        return []
    steps = sorted(set(after["since"]))
    since = next(step for step in reversed(steps) if step <= steps[-1] / 2)
    here = {(row[incidence.factor], row["end"]): row for row in _rows(after[after["since"] == since])}
    rows = []
    for level in (level for level in levels if (level, AFTER[0]) in here):
        ends = [here[level, end] for end in AFTER]
        sizes = (Cell(f"{ends[0][name]:,}") for name in ("at_risk", "n_points", "n_runs"))
        rows.append((Cell(level), *(rate_cell(row) for row in ends), *sizes))
    heads = (*AFTER, "runs still waited for", "n_points", "n_runs")
    first = Head("" if incidence.factor == ALL else incidence.factor, is_number=False)
    caption = (
        f"What came first within {number(since)} steps of the first {incidence.kind}, of runs that had been "
        "good before: ends that compete [95% interval]"
    )
    folded = f"What follows a {incidence.kind}"
    return [Table(caption, (first, *(Head(head) for head in heads)), tuple(rows), folded=folded)]


def _rows(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    return frame.to_dict("records")


def _estimate(row: Any) -> str:
    return f"{share(float(row['estimate']))} {_interval(row)}"


def _interval(row: Any) -> str:
    return interval(float(row["ci_low"]), float(row["ci_high"]))


def _steps(row: Any) -> str:
    if pd.isna(row["ci_low"]):
        return number(round(float(row["estimate"])))
    bounds = ", ".join(number(round(float(row[name]))) for name in ("ci_low", "ci_high"))
    return f"{number(round(float(row['estimate'])))} [{bounds}]"


def _steps_cell(row: Any) -> Cell:
    if pd.isna(row["estimate"]):
        return _missing(row["reason"])
    text, _, bounds = _steps(row).partition(" ")
    return Cell(text, bounds or "[no interval]", row["reason"])


def _missing(reason: Any) -> Cell:
    return Cell(NOTHING, "", str(reason))


def _by(factor: str) -> str:
    return "" if factor == ALL else f", by {factor}"


def _slug(text: str) -> str:
    return text.replace("_", "-")

"""How the ranking of levels depends on where the outcome rules draw their lines, and on the horizon."""

from __future__ import annotations

from stability.page_kit.blocks import Block
from stability.page_kit.estimate import Cell, Row, cell_of, rows_of
from stability.page_kit.svg import inline_svg
from stability.page_kit.tables import Column, Table, by_two, columns, counts, table
from stability.page_kit.words import capital, listed, number, plural, share, spaced, verb
from stability.questions.sensitivity.estimate import DEFAULT, HORIZON, Sensitivity
from stability.questions.sensitivity.figure import sensitivity_dots
from stability.reading.study import Study

MOST_NAMED = 6


def sensitivity_blocks(study: Study, sensitivity: Sensitivity) -> list[Block]:
    """One block: the ranking under every variant; none where no factor was compared."""
    if study.main_factor is None:
        return []
    finding = _finding(sensitivity)
    figure = None
    if len(sensitivity.rates):
        variants = sensitivity.variants
        rows = _shown(sensitivity)
        seen = set(sensitivity.rates["level"])
        levels = [level for level in study.order(sensitivity.factor) if level in seen]
        changed = variants.loc[variants["best_changed"], "variant"].tolist()
        alt = f"Success rate by {sensitivity.factor} under {len(variants) - 1} other labellings. {finding}"
        drawn = sensitivity_dots(sensitivity.rates, levels, rows, changed)
        figure = inline_svg(drawn, "sensitivity", alt)
    return [
        Block(
            key="sensitivity",
            question=f"Does the ranking depend on the thresholds or on the horizon, by {sensitivity.factor}?",
            finding=finding,
            figure=figure,
            note=_note(sensitivity) if len(sensitivity.rates) else "",
            tables=(_table(sensitivity),) if len(sensitivity.rates) else (),
            data=sensitivity.rates.merge(
                sensitivity.variants[["variant", "tau", "best", "best_changed", "n_changed"]], on="variant"
            ),
        )
    ]


def _shown(result: Sensitivity) -> dict[str, list[str]]:
    """The variants to be drawn, by threshold: only of those of which some variant moves some share."""
    shares = result.rates.pivot(index="variant", columns="level", values="estimate")
    moved = (shares - shares.loc[DEFAULT]).abs().max(axis=1) > 0
    return {
        str(threshold): group["variant"].tolist()
        for threshold, group in result.variants.groupby("threshold", sort=False)
        if threshold in ("", HORIZON) or moved[group["variant"]].any()
    }


def _finding(result: Sensitivity) -> str:
    variants = result.variants[result.variants["variant"] != DEFAULT]
    if variants.empty:
        return f"{capital(result.reason or 'nothing was varied')}."
    default = result.rates[result.rates["variant"] == DEFAULT]
    if default["level"].nunique() < 2:
        return "There is but one level: nothing to rank."
    best = default.loc[default["rank"] == 1, "level"].tolist()
    ways = plural(len(variants), "other labelling")
    if default["estimate"].nunique() < 2:
        moved = variants[variants["best"] != " / ".join(best)]
        return (
            f"As labelled, all levels are equally successful ({share(default['estimate'].iloc[0])}): there "
            f"is no ranking that could move. {f'{len(moved):,}' if len(moved) else 'None'} of {ways} would "
            "put one above another."
        )
    changed = variants[variants["best_changed"]]
    first = (
        f"{listed([f'“{name}”' for name in best])} {verb(len(best), 'is', 'are')} most successful as "
        f"labelled, and {verb(len(best), 'leads or ties', 'one of them leads or ties')} under "
    )
    if changed.empty:
        sentences = [f"{first}all {ways}."]
    else:
        names = [spaced(name) for name in changed["variant"]]
        more = [f"{len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
        sentences = [
            f"{first}{len(variants) - len(changed)} of {ways}; not under "
            f"{listed([*names[:MOST_NAMED], *more])}."
        ]
    by_chance = (  # what the choice of points alone does to the leader
        "For comparison: with the labels as they are, drawing the points anew changes who leads in "
        f"{share(result.resampled)} of the draws."
    )
    return " ".join([*sentences, by_chance])


def _note(result: Sensitivity) -> str:
    parts = [
        "One change at a time, stored runs labelled anew, nothing trained. The first row is the study as "
        "labelled; a shaded row with a bold name has another leader, each share with its interval is in the "
        "table. Each threshold is set to .5, .8, 1.25 and 2 times its value, within its limits (saturated "
        "separation: its distance from 1)."
    ]
    idle = [name for name in dict.fromkeys(result.variants["threshold"]) if name not in _shown(result)]
    if idle:
        parts.append(f"Not drawn, since no share moves: {listed([spaced(name) for name in idle])}.")
    if result.n_runs < result.n_available:
        parts.append(f"{result.n_runs:,} of {result.n_available:,} runs, at points drawn at random.")
    if result.n_stopped:
        parts.append(
            f"{plural(result.n_stopped, 'run')} stopped early: what other thresholds would have said of the "
            "rest of their training is unknown."
        )
    parts.append(
        "Kendall’s tau compares the order of the levels with that of the first row: 1 is the same, −1 "
        "reversed."
    )
    return " ".join(parts)


def _table(result: Sensitivity) -> Table:
    found = by_two(result.rates, "variant", "level")

    def name(row: Row) -> str:
        return spaced(row["variant"]) + (" steps" if row["threshold"] == HORIZON else "")

    levels = {level: str(level) for level in result.rates["level"]}
    shown = (
        Column("variant", name, is_number=False),
        *counts(n_changed="labels changed"),
        Column("tau", lambda row: Cell(number(float(row["tau"])), "", str(row["reason"]))),
        *columns(levels, lambda level, row: cell_of(found.get((row["variant"], level)))),
    )
    caption = f"Success rate [95% interval] by {result.factor} under each labelling"
    return table(caption, rows_of(result.variants), shown, "Every labelling in numbers")

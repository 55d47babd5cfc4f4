"""Where runs train stably: the map of the probability, how far to trust it, and the widest safe box."""

from __future__ import annotations

from typing import Any

import pandas as pd

from stability.analysis.boxes import SafeBoxes
from stability.analysis.maps import map_points
from stability.analysis.regions import StabilityMap
from stability.analysis.study import Study
from stability.report.blocks import Block, Cell, Head, Table
from stability.report.figures.regions import probability_map, reliability_curve
from stability.report.svg import inline_svg
from stability.report.words import (
    NOTHING,
    at_least,
    interval,
    level_name,
    listed,
    number,
    plural,
    share,
    some_of,
)


def regions_blocks(study: Study, found: StabilityMap, boxes: SafeBoxes) -> list[Block]:
    """The map, its calibration where there is one, and the box; none for a search."""
    if not study.estimable:
        return []
    calibration = [_calibration_block(found)] if len(found.calibration) else []
    return [_map_block(study, found), *calibration, _box_block(boxes)]


def _map_block(study: Study, found: StabilityMap) -> Block:
    axes, figure = found.axes, None
    finding = _map_finding(found)
    over = f"{axes.x} and {axes.y}" if axes is not None else "the parameters"
    if len(found.grid) and axes is not None:
        points = map_points(study.runs[~study.runs["adaptive"].astype(bool)], axes)
        columns = list(study.order(axes.column)) if axes.column is not None else [""]
        rows = sorted(set(points["row"]))
        drawn = probability_map(found, points, columns, rows, study.outcomes)
        alt = f"Maps of the probability of success over {over}, with the runs as markers. {finding}"
        figure = inline_svg(drawn, "stability-map", alt)
    return Block(
        key="stability-map",
        question=f"How likely is success, over {over}?",
        finding=finding,
        figure=figure,
        note=_map_note(found) if figure is not None else "",
        tables=(_panel_table(found),) if len(found.panels) else (),
        data=found.grid if len(found.grid) else found.panels,
    )


def _map_finding(found: StabilityMap) -> str:
    rules, panels = found.rules, found.panels
    if found.reason:
        return f"A map is {found.reason}."
    mapped = panels[panels["map_reason"] == ""]
    if mapped.empty:
        reasons = "; ".join(dict.fromkeys(panels["map_reason"].str.removeprefix("not estimable: ")))
        return f"No map is estimable: {reasons}."
    safe = mapped[mapped["safe_share"] > 0].sort_values("safe_share", ascending=False, kind="stable")
    meaning = f"a probability of at least {share(rules.probability)} with {rules.confidence:.0%} confidence"
    if safe.empty:
        return f"No setting on the map is safe, that is, has {meaning}. More points could change that."
    named = [f"{_panel_name(row)} ({share(row.safe_share)})" for row in _each(safe.head(4))]
    more = f", and {len(safe) - 4} more" if len(safe) > 4 else ""
    first = f"Safe settings, with {meaning}, were found under {listed(named)}{more}"
    rest = len(mapped) - len(safe)
    none = f" {plural(rest, 'panel')} {'has' if rest == 1 else 'have'} none." if rest else ""
    return f"{first}: the share of the map that is safe.{none}"


def _panel_name(row: Any) -> str:
    texts = [str(row.column), *str(row.row).split("\n")]
    return ", ".join(text for text in texts if text) or "all runs"


def _map_note(found: StabilityMap) -> str:
    rules = found.rules
    parts = [
        "Colour: probability that a run ends stable or nearly stable, by a Gaussian process. The broken line "
        "is p = .5. The heavy line encloses the safe settings: there the lower bound of the probability is "
        f"at least {share(rules.probability)}, with {rules.confidence:.0%} confidence for each place by "
        f"itself. Hatched: fewer than {rules.neighbours} points within {share(rules.near)} of the place "
        "(both axes taken as 0 to 1); such places are never called safe.",
        "One run of each point enters the map, drawn at random, since seeds of a point are not independent; "
        "markers, where shown, are all runs.",
    ]
    if found.averaged:
        verb = "vary" if len(found.averaged) > 1 else "varies"
        parts.append(f"{listed(found.averaged)} {verb}, too: the map is an average over what was sampled.")
    if (found.panels["fit_points"] >= rules.most_points).any():
        parts.append(f"At most {rules.most_points} points, drawn at random, enter a fit.")
    if found.n_left_out:
        parts.append(f"{plural(found.n_left_out, 'run')} without a value on an axis cannot be shown.")
    return " ".join(parts)


def _panel_table(found: StabilityMap) -> Table:
    heads = (
        Head("panel", is_number=False),
        Head("success, all of it [95%]"),
        Head("safe share of the map"),
        Head("share with enough points"),
        Head("points"),
        Head("runs"),
    )
    rows = tuple(
        (
            Cell(_panel_name(row)),
            _share_cell(row),
            _plain(row.safe_share, row.map_reason),
            _plain(row.supported_share, row.map_reason),
            Cell(f"{row.n_points:,}"),
            Cell(f"{row.n_runs:,}"),
        )
        for row in _each(found.panels)
    )
    return Table("The panels of the map", heads, rows)


def _calibration_block(found: StabilityMap) -> Block:
    finding = _calibration_finding(found.brier.set_index("score"))
    alt = f"Share of runs that succeeded against the predicted probability. {finding}"
    return Block(
        key="map-calibration",
        question="Can the map be trusted?",
        finding=finding,
        figure=inline_svg(reliability_curve(found.calibration), "map-calibration", alt),
        note=(
            f"Points are predicted by a map fitted without them, in {found.rules.folds} parts, with the full "
            "map’s length scales. On the dotted line predictions are right on average. Numbers beside the "
            "dots: runs. The Brier score is the mean squared error of a probability."
        ),
        tables=(_brier_table(found.brier),),
        data=found.calibration,
    )


def _calibration_finding(scores: pd.DataFrame) -> str:
    difference = scores.loc["difference"]
    if difference["ci_high"] < 0:
        verdict = "The map predicts unseen points better than the overall rate of its panels does"
    elif difference["ci_low"] > 0:
        verdict = "The map predicts unseen points worse than the overall rate does: do not rely on it"
    else:
        verdict = "Whether the map predicts unseen points better than the overall rate cannot be told"
    errors = [number(float(scores["estimate"][name])) for name in ("map", "overall rate")]
    numbers = f"Brier score {errors[0]} against {errors[1]}, difference {_plain_interval(difference)}"
    return f"{verdict}: {numbers}. Lower is better."


def _plain_interval(row: Any) -> str:
    low, high = (number(float(row[name])) for name in ("ci_low", "ci_high"))
    return f"{number(float(row['estimate']))} [{low}, {high}]"


def _brier_table(brier: pd.DataFrame) -> Table:
    heads = (Head("score", is_number=False), Head("Brier score [95%]"), Head("points"), Head("runs"))
    rows = tuple(
        (
            Cell(str(row["score"])),
            Cell(_plain_interval(row)),
            Cell(f"{row['n_points']:,}"),
            Cell(f"{row['n_runs']:,}"),
        )
        for row in brier.to_dict("records")
    )
    return Table("Error on unseen points", heads, rows)


def _box_block(boxes: SafeBoxes) -> Block:
    chosen = boxes.boxes[boxes.boxes["chosen"].astype(bool)]
    return Block(
        key="safe-box",
        question="Which ranges are safe to use?",
        finding=_box_finding(boxes, chosen),
        figure=None,
        note=_box_note(boxes) if len(chosen) else "",
        tables=_box_tables(boxes) if len(chosen) else (),
        data=boxes.boxes.drop(columns="as_yaml"),
        snippet="space:\n" + str(chosen["as_yaml"].iloc[0]) if _is_known(chosen) else "",
    )


def _is_known(chosen: pd.DataFrame) -> bool:
    return bool(len(chosen)) and bool(chosen["estimate"].notna().iloc[0])


def _box_finding(boxes: SafeBoxes, chosen: pd.DataFrame) -> str:
    if not _is_known(chosen):
        return f"A safe box is {boxes.reason or chosen['reason'].iloc[0]}."
    row = chosen.iloc[0]
    if not row["choosing_share"] > 0:
        return "No run of the half of the points that chooses succeeded: there is no box to recommend."
    under = f" under {level_name(boxes.factor, str(row['level']))}" if boxes.factor is not None else ""
    where = _ends(boxes, str(row["level"])) or ["the whole space"]
    did = f"{some_of(row['estimate'], int(row['n_runs']))} did"
    bounded = (
        f"at least {at_least(row['ci_low'])} of runs succeed with {boxes.rules.confidence:.0%} confidence"
    )
    told = f"There {bounded}; {did}." if pd.notna(row["ci_low"]) else f"There {did}: {row['reason']}."
    short = f" No box reached {share(boxes.rules.target)}, so this is the one with the highest share."
    which = "widest" if row["reaches_target"] else "best"
    first = f"The {which} box found{under}: {listed(where)}."
    return f"{first} {told}{'' if row['reaches_target'] else short}"


def _ends(boxes: SafeBoxes, level: str) -> list[str]:
    """The narrowed sides of a level's box in words."""
    edges = boxes.edges[(boxes.edges["level"] == level) & ~boxes.edges["whole"].astype(bool)]
    rows = edges.to_dict("records")
    return [f"{row['parameter']} {number(row['low'])} to {number(row['high'])}" for row in rows]


def _box_note(boxes: SafeBoxes) -> str:
    rules = boxes.rules
    parts = [
        "Half of the points, drawn at random, choose the widest box in which at least "
        f"{share(rules.target)} of runs succeed, with at least {rules.fewest_points} points in it; the "
        "other half bound its share. The share on the choosing half is optimistic. Bounds are one-sided. "
        "Another random split of the points may choose another box.",
    ]
    if boxes.factor is not None:
        parts.append(
            f"The {boxes.factor} was chosen by the first half, too. The bounds of the others hold one by "
            "one: to pick the best of them would be optimistic again."
        )
    return " ".join(parts)


def _box_tables(boxes: SafeBoxes) -> tuple[Table, ...]:
    sure = f"{boxes.rules.confidence:.0%}"
    heads = (
        Head(boxes.factor or "runs", is_number=False),
        Head("box", is_number=False),
        Head("volume"),
        Head("success, choosing half"),
        Head("success, other half"),
        Head(f"lower bound ({sure})"),
        Head("points"),
        Head("runs"),
    )
    rows = tuple(_box_row(boxes, row) for row in boxes.boxes.to_dict("records"))
    marked = "; the chosen one is marked with ✓" if boxes.boxes["volume"].notna().any() else ""
    return (Table(f"The box of every level{marked}", heads, rows),)


def _box_row(boxes: SafeBoxes, row: dict[Any, Any]) -> tuple[Cell, ...]:
    known = pd.notna(row["volume"])
    ends = "; ".join(_ends(boxes, row["level"])) or ("the whole space" if known else NOTHING)
    return (
        Cell(f"{row['level']}{' ✓' if row['chosen'] and known else ''}"),
        Cell(ends),
        *(_plain(row[name], row["reason"]) for name in ("volume", "choosing_share", "estimate", "ci_low")),
        Cell(f"{row['n_points']:,}"),
        Cell(f"{row['n_runs']:,}"),
    )


def _share_cell(row: Any) -> Cell:
    if pd.isna(row.estimate):
        return Cell(NOTHING, "", str(row.reason))
    return Cell(share(row.estimate), interval(row.ci_low, row.ci_high), str(row.reason))


def _plain(value: float, reason: str) -> Cell:
    return Cell(share(float(value)), "", "" if pd.notna(value) else str(reason))


def _each(frame: pd.DataFrame) -> list[Any]:
    return list(frame.itertuples(index=False))

"""Where runs train stably: the map of the probability, how far to trust it, and the widest safe box."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from stability.page_kit.blocks import Block
from stability.page_kit.estimate import Estimate, Row, rows_of
from stability.page_kit.svg import inline_svg
from stability.page_kit.tables import Column, Table, counts, estimated, plain, table, texts
from stability.page_kit.words import (
    NOTHING,
    at_least,
    bare_reason,
    level_name,
    listed,
    lower_bound,
    number,
    plural,
    share,
    verb,
)
from stability.questions.stable_region.estimate import StabilityMap
from stability.questions.stable_region.figure import probability_map, reliability_curve
from stability.questions.stable_region.safe_box import SafeBoxes
from stability.reading.map_axes import map_points
from stability.reading.study import Study
from stability.statistics.rates import designed

SIZES = counts(n_points="points", n_runs="runs")


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
        points = map_points(designed(study.runs), axes)
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
        reasons = "; ".join(dict.fromkeys(map(bare_reason, panels["map_reason"])))
        return f"No map is estimable: {reasons}."
    safe = mapped[mapped["safe_share"] > 0].sort_values("safe_share", ascending=False, kind="stable")
    sure = f"with {rules.confidence:.0%} confidence"
    likely = f"A chance of success of at least {share(rules.probability)}, {sure}"
    if safe.empty:
        return f"{likely}, is reached nowhere on the map. More points could change that."
    named = [f"{_panel_name(row)} ({share(row['safe_share'])})" for row in rows_of(safe.head(4))]
    more = f", and {len(safe) - 4} more" if len(safe) > 4 else ""
    rest = len(mapped) - len(safe)
    none = f" {plural(rest, 'panel')} {verb(rest, 'has', 'have')} no such place." if rest else ""
    return (
        f"{likely} place by place, is reached under {listed(named)}{more}: in brackets, on what share of the "
        f"map.{none}"
    )


def _panel_name(row: Row) -> str:
    names = [str(row["column"]), *str(row["row"]).split("\n")]
    return ", ".join(filter(None, names)) or "all runs"


def _map_note(found: StabilityMap) -> str:
    rules = found.rules
    parts = [
        "Colour: probability that a run ends stable or nearly stable, by a Gaussian process. The broken line "
        "is p = .5. Within the heavy line the lower bound of the probability is "
        f"at least {share(rules.probability)}, with {rules.confidence:.0%} confidence for each place by "
        "itself; the points that draw it are not asked again, as those of the box below are. "
        f"Hatched: fewer than {rules.neighbours} points within {share(rules.near)} of the place "
        "(both axes taken as 0 to 1); the line leaves such places out.",
        "One run of each point enters the map, drawn at random, since seeds of a point are not independent; "
        "markers, where shown, are all runs.",
    ]
    if found.averaged:
        vary = verb(len(found.averaged), "varies", "vary")
        parts.append(f"{listed(found.averaged)} {vary}, too: the map is an average over what was sampled.")
    if (found.panels["fit_points"] >= rules.most_points).any():
        parts.append(f"At most {rules.most_points} points, drawn at random, enter a fit.")
    if found.n_left_out:
        parts.append(f"{plural(found.n_left_out, 'run')} without a value on an axis cannot be shown.")
    return " ".join(parts)


def _panel_table(found: StabilityMap) -> Table:
    columns = (
        Column("panel", _panel_name, is_number=False),
        estimated("success, all of it [95%]"),
        plain(f"share of the map with p ≥ {share(found.rules.probability)}", "safe_share", "map_reason"),
        plain("share with enough points", "supported_share", "map_reason"),
        *SIZES,
    )
    return table("The panels of the map", rows_of(found.panels), columns)


def _calibration_block(found: StabilityMap) -> Block:
    finding = _calibration_finding({row["score"]: Estimate.of(row) for row in rows_of(found.brier)})
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


def _calibration_finding(scores: Mapping[str, Estimate]) -> str:
    difference = scores["difference"]
    if difference.ci_high < 0:
        verdict = "The map predicts unseen points better than the overall rate of its panels does"
    elif difference.ci_low > 0:
        verdict = "The map predicts unseen points worse than the overall rate does: do not rely on it"
    else:
        verdict = "Whether the map predicts unseen points better than the overall rate cannot be told"
    model, rate = (number(scores[name].value) for name in ("map", "overall rate"))
    apart = difference.text(number)
    return f"{verdict}: Brier score {model} against {rate}, difference {apart}. Lower is better."


def _brier_table(brier: pd.DataFrame) -> Table:
    columns = (*texts(score="score"), estimated("Brier score [95%]", number), *SIZES)
    return table("Error on unseen points", rows_of(brier), columns)


def _box_block(boxes: SafeBoxes) -> Block:
    chosen = next(iter(rows_of(boxes.boxes[boxes.boxes["chosen"].astype(bool)])), None)
    known = chosen is not None and pd.notna(chosen["estimate"])
    return Block(
        key="safe-box",
        question="Which ranges are safe to use?",
        finding=_box_finding(boxes, chosen),
        note=_box_note(boxes) if chosen is not None else "",
        tables=(_box_table(boxes),) if chosen is not None else (),
        data=boxes.boxes.drop(columns="as_yaml"),
        snippet=f"space:\n{chosen['as_yaml']}" if chosen is not None and known else "",
    )


def _box_finding(boxes: SafeBoxes, row: Row | None) -> str:
    if row is None or pd.isna(row["estimate"]):
        return f"A safe box is {boxes.reason or (row and row['reason'])}."
    under = f" under {level_name(boxes.factor, str(row['level']))}" if boxes.factor is not None else ""
    where = narrowed(boxes, str(row["level"])) or ["the whole space"]
    did, sure = f"{Estimate.of(row).some_of()} did", f"{boxes.rules.confidence:.0%}"
    told = f"There {did}: {row['reason']}."
    if pd.notna(row["ci_low"]):
        told = f"There at least {at_least(row['ci_low'])} of runs succeed with {sure} confidence; {did}."
    short = f" No box reached {share(boxes.rules.target)}, so this is the one with the highest share."
    which = "widest" if row["reaches_target"] else "best"
    first = f"The {which} box found{under}: {listed(where)}."
    return f"{first} {told}{'' if row['reaches_target'] else short}"


def narrowed(boxes: SafeBoxes, level: str) -> list[str]:
    """The narrowed sides of a level's box in words."""
    edges = boxes.edges[(boxes.edges["level"] == level) & ~boxes.edges["whole"].astype(bool)]
    return [f"{row['parameter']} {number(row['low'])} to {number(row['high'])}" for row in rows_of(edges)]


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


def _box_table(boxes: SafeBoxes) -> Table:
    def name(row: Row) -> str:
        return f"{row['level']}{' ✓' if row['chosen'] and pd.notna(row['volume']) else ''}"

    def ends(row: Row) -> str:
        whole = "none" if row["choosing_share"] == 0 else NOTHING
        if pd.notna(row["volume"]):
            whole = "the whole space"
        return "; ".join(narrowed(boxes, row["level"])) or whole

    columns = (
        Column(boxes.factor or "runs", name, is_number=False),
        Column("box", ends, is_number=False),
        plain("volume", "volume"),
        plain("success, choosing half", "choosing_share"),
        plain("success, other half", "estimate"),
        plain(f"lower bound ({boxes.rules.confidence:.0%})", "ci_low", form=lower_bound),
        *SIZES,
    )
    marked = "; the chosen one is marked with ✓" if boxes.boxes["volume"].notna().any() else ""
    return table(f"The box of every level{marked}", rows_of(boxes.boxes), columns)

"""The widest box of settings that train stably: chosen on half of the points, bounded on the other half.

A bound taken on the points that chose the box would flatter it: the best of 32 cells then claims more than
the truth in 45% of studies. Frames in, frames out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stability.reading.factors import level_text, levels, numeric, with_text_levels
from stability.reading.unit_cube import Scale, scale_of, unit_cube
from stability.records import SUCCESSES
from stability.spec import Choice, Range, StudySpec
from stability.spec.study import VARIANT
from stability.statistics.prim import Box, Sample, widest_box
from stability.statistics.rates import (
    COLUMNS,
    NO_RUNS,
    SUCCESS,
    designed,
    none_designed,
    rate,
    unknown,
)

ALL_RUNS = "all runs"
"""The level where no factor is compared."""

TOO_FEW = "not estimable: it takes two points to choose on one and bound on the other"
NO_SUCCESS = "not estimable: no run of the choosing half of the points succeeded"
NO_RANGE = "not estimable: a box needs a parameter that was drawn from a range"

FEWEST_TO_BOUND = 2
"""The safest level has at least so many of the bounding points: one says nothing about others."""

BOX_COLUMNS = (
    "level",
    "chosen",
    "reaches_target",
    "volume",
    "choosing_share",
    "choosing_points",
    *COLUMNS,
    "as_yaml",
)
EDGE_COLUMNS = ("level", "parameter", "low", "high", "whole")
YAML_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
"""Texts that some reader of YAML takes for something else."""

SAFEST_COLUMNS = ("level", "choosing_share", *COLUMNS)


@dataclass(frozen=True, slots=True)
class BoxRules:
    """What a box promises, and what it needs."""

    target: float = 0.8
    """The box is the widest whose share of successes, among the choosing points, is at least this."""
    confidence: float = 0.95
    """Of the lower bound, one-sided."""
    fewest_points: int = 5
    """A box holds at least so many of the choosing points."""


DEFAULT_RULES = BoxRules()


@dataclass(frozen=True, slots=True, eq=False)
class SafeBoxes:
    """A box for every level of a factor, and the one that was chosen before its bound was seen."""

    factor: str | None
    rules: BoxRules
    boxes: pd.DataFrame
    """One row a level: `level, chosen` (the one to quote), `reaches_target, volume` (share of the space; NaN
    where the choosing half has no success, thus no box), `choosing_share, choosing_points` (optimistic: they
    chose the box), `rate`'s columns on the other half (`ci_low` is the one-sided bound), and `as_yaml`, all
    that stands below `space` in a study file."""
    edges: pd.DataFrame
    """One row a level and parameter: `level, parameter, low, high` (own units), `whole` (not narrowed)."""
    safest: pd.DataFrame
    """One row: the level with the highest share in the whole space by the choosing half, among those with
    `fewest_points` there and `FEWEST_TO_BOUND` in the other: `level, choosing_share` and `rate`'s columns on
    the other half; no level and a reason where none has as many."""
    reason: str
    """Why there are no boxes, or empty."""


def safe_boxes(
    runs: pd.DataFrame,
    spec: StudySpec,
    factor: str | None,
    *,
    rng: np.random.Generator,
    rules: BoxRules = DEFAULT_RULES,
) -> SafeBoxes:
    """Choose a box over all parameters drawn from ranges, for every level of `factor`, and bound it.

    Points are split at random, whatever the order of the rows; the levels of a crossed factor share the
    split. Adaptive runs never enter.
    Among the levels' boxes the chosen one is the widest that reaches the target, or else the one with the
    highest share.
    """
    fixed = designed(runs)
    scales = tuple(scale_of(spec, name) for name in numeric(spec, runs))
    if fixed.empty or not scales:
        no_runs = none_designed(runs)
        return _nothing(factor, rules, no_runs if fixed.empty else NO_RANGE)
    split = _split(fixed, factor, tuple(scale for scale in scales if not spec.setting(scale.name)), rng)
    if split.empty or split["half"].nunique() < 2:
        return _nothing(factor, rules, TOO_FEW)
    names = _levels(split, spec, factor)
    placed = _placed(split, scales)
    found = [_level_box(placed[placed["level"] == name], name, scales, rules) for name in names]
    rows = pd.DataFrame([row for row, _ in found])
    texts = [_as_yaml(spec, factor, name, edges) for name, (_, edges) in zip(names, found, strict=True)]
    boxes = rows.assign(chosen=_chosen(rows), as_yaml=texts)[list(BOX_COLUMNS)]
    edges = pd.DataFrame([edge for _, of_level in found for edge in of_level], columns=list(EDGE_COLUMNS))
    return SafeBoxes(factor, rules, boxes, edges, _safest(split, names, rules), "")


def _split(
    fixed: pd.DataFrame, factor: str | None, scales: tuple[Scale, ...], rng: np.random.Generator
) -> pd.DataFrame:
    """Runs with a value for all of these parameters, each with its `level` and the `half` of its point."""
    texts = with_text_levels(fixed, (factor,)) if factor is not None else fixed
    placed = _placed(texts, scales)
    points = np.unique(placed["point"].to_numpy())
    choosing = rng.permutation(points)[: (len(points) + 1) // 2]
    half = np.where(placed["point"].isin(choosing), "choosing", "bounding")
    level = placed[factor] if factor is not None else ALL_RUNS
    return placed.assign(level=level, half=half, success=placed["outcome"].isin(SUCCESSES))


def _placed(runs: pd.DataFrame, scales: tuple[Scale, ...]) -> pd.DataFrame:
    return runs.iloc[np.flatnonzero(np.isfinite(unit_cube(runs, scales)).all(axis=1))]


def _levels(split: pd.DataFrame, spec: StudySpec, factor: str | None) -> list[str]:
    if factor is None:
        return [ALL_RUNS]
    seen = set(split["level"])
    return [level for level in levels(spec, factor) if level in seen]


def _level_box(
    runs: pd.DataFrame, level: str, scales: tuple[Scale, ...], rules: BoxRules
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A level's row and its edges: the box in short numbers, so that its bound is that of what is pasted."""
    choosing, bounding = runs[runs["half"] == "choosing"], runs[runs["half"] == "bounding"]
    sample = _sample(choosing, scales)
    row: dict[str, Any] = {
        "level": level,
        "reaches_target": False,
        "volume": np.nan,
        "choosing_share": np.nan,
    }
    if len(sample.sizes) < rules.fewest_points:
        few = (
            f"not estimable: it takes {rules.fewest_points} points to choose on, here are {len(sample.sizes)}"
        )
        return row | {"choosing_points": len(sample.sizes)} | unknown(few), []
    widest = widest_box(sample, rules.target, rules.fewest_points)
    sides = list(zip(scales, widest.low, widest.high, strict=True))
    ends = [scale.rounded_inward(low, high) for scale, low, high in sides]
    corners = [scale.to_unit(np.array(end)) for scale, end in zip(scales, ends, strict=True)]
    box = Box(np.array([low for low, _ in corners]), np.array([high for _, high in corners]))
    inside = sample.inside(box)
    row |= {
        "volume": box.volume,
        "choosing_share": sample.share(inside),
        "choosing_points": int(inside.sum()),
    }
    if not row["choosing_share"]:
        return row | {"volume": np.nan} | unknown(NO_SUCCESS), []
    # Of the box as it was found: the rounding may cost it a lucky point at its edge.
    row["reaches_target"] = sample.share(sample.inside(widest)) >= rules.target
    edges = [
        {
            "level": level,
            "parameter": scale.name,
            "low": end[0],
            "high": end[1],
            "whole": low <= 0 and high >= 1,
        }
        for (scale, low, high), end in zip(sides, ends, strict=True)
    ]
    there = bounding[box.holds(unit_cube(bounding, scales))]
    return row | _bound(there, rules, "not estimable: none of the bounding points lies in the box"), edges


def _sample(runs: pd.DataFrame, scales: tuple[Scale, ...]) -> Sample:
    _, first, owner = np.unique(runs["point"].to_numpy(), return_index=True, return_inverse=True)
    counts = np.bincount(owner, weights=runs["success"].to_numpy(dtype=np.float64)).astype(np.int64)
    return Sample(unit_cube(runs, scales)[first], counts, np.bincount(owner))


def _bound(runs: pd.DataFrame, rules: BoxRules, if_none: str) -> dict[str, Any]:
    """`rate`'s columns; an interval at twice the error has the one-sided bounds for its ends."""
    if runs.empty:
        return unknown(if_none)
    row = rate(runs, SUCCESS, confidence=2 * rules.confidence - 1).iloc[0]
    return {name: row[name] for name in COLUMNS}


def _chosen(boxes: pd.DataFrame) -> NDArray[np.bool_]:
    """One level, by the choosing half alone: the widest box at the target, or else the highest share."""
    merit = [
        (bool(row.reaches_target), row.volume if row.reaches_target else row.choosing_share, row.volume)
        for row in boxes.fillna({"choosing_share": -1.0, "volume": -1.0}).itertuples()
    ]
    chosen: NDArray[np.bool_] = np.arange(len(merit)) == merit.index(max(merit))
    return chosen


def _safest(split: pd.DataFrame, names: list[str], rules: BoxRules) -> pd.DataFrame:
    choosing, bounding = split[split["half"] == "choosing"], split[split["half"] == "bounding"]
    to_choose, to_bound = (half.groupby("level")["point"].nunique() for half in (choosing, bounding))
    able = [
        name
        for name in names
        if to_choose.get(name, 0) >= rules.fewest_points and to_bound.get(name, 0) >= FEWEST_TO_BOUND
    ]
    if not able:
        needed = f"{rules.fewest_points} points to choose on and {FEWEST_TO_BOUND} to bound on"
        nothing = unknown(f"not estimable: no level has {needed}")
        return pd.DataFrame([{"level": "", "choosing_share": np.nan, **nothing}])
    shares = choosing.groupby("level")["success"].mean()
    best = max(able, key=lambda name: shares[name])
    bound = _bound(bounding[bounding["level"] == best], rules, NO_RUNS)
    return pd.DataFrame([{"level": best, "choosing_share": float(shares[best]), **bound}])


def _as_yaml(spec: StudySpec, factor: str | None, level: str, edges: list[dict[str, Any]]) -> str:
    """All of `space`, indented to stand below that word: the box, the level, and the rest as it was.

    What a variant sets is a list of one value, said to stand under `fixed` where it does.
    """
    ends = {edge["parameter"]: (edge["low"], edge["high"]) for edge in edges}
    named = spec.variants.get(level, {}) if factor == VARIANT else {}
    domains = spec.space | {name: Choice(values=(value,)) for name, value in named.items()}
    return "".join(
        f"  {name}: {_domain(domain, ends.get(name), level if name == factor else None)}"
        f"{'  # in place of the value under fixed' if name in spec.fixed else ''}\n"
        for name, domain in domains.items()
    )


def _domain(domain: Range | Choice, ends: tuple[float, float] | None, level: str | None) -> str:
    if isinstance(domain, Choice):
        kept = [value for value in domain.values if level is None or level_text(value) == level]
        return f"[{', '.join(_scalar(value) for value in kept)}]"
    low, high = ends or (domain.low, domain.high)
    texts = [_scalar(round(end) if domain.integer else float(end)) for end in (low, high)]
    if texts[0] == texts[1]:
        return f"[{texts[0]}]"
    log = ", log: true" if domain.log else ""
    steps = f", levels: {domain.levels}" if domain.levels is not None else ""
    return f"{{low: {texts[0]}, high: {texts[1]}{log}{steps}}}"


def _scalar(value: Any) -> str:
    """A value as YAML reads it back. JSON does for nearly all: an exponent takes a point before it."""
    if isinstance(value, str) and value not in YAML_WORDS and re.fullmatch("[a-z][a-z-]*", value):
        return value
    text = json.dumps(value)
    return re.sub(r"^(-?\d+)e", r"\1.0e", text) if isinstance(value, float) else text


def _nothing(factor: str | None, rules: BoxRules, reason: str) -> SafeBoxes:
    boxes, edges, safest = (
        pd.DataFrame(columns=list(names)) for names in (BOX_COLUMNS, EDGE_COLUMNS, SAFEST_COLUMNS)
    )
    return SafeBoxes(factor, rules, boxes, edges, safest, reason)

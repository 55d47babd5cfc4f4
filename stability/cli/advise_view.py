"""What `stability advise` tells of a setting."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pandas as pd

from stability.page_kit.words import at_least, listed, number, percent, plural
from stability.questions.advice.estimate import Advice
from stability.reading.frames import StudyFrames
from stability.report.export import as_rows
from stability.spec.source import read_source


def read_pairs(pairs: Sequence[str]) -> dict[str, Any]:
    """The values of `KEY=VALUE`, read as in a study file. Raises StabilityError where one cannot be read."""
    return read_source("{}", "setting", pairs).data


def about_atlas(atlas: StudyFrames) -> str:
    """Which study answers where none was named."""
    spec = atlas.spec
    what = f"{plural(len(atlas.runs), 'run')} of {spec.fixed['architecture']} on {spec.dataset}"
    return f"the atlas that ships, study {atlas.name}: {what}, {spec.training.steps:,} steps"


def as_text(found: Advice, results: Path | None, source: str = "") -> str:
    """How likely, how well that is known, the nearest runs, what went wrong with them, what would help."""
    lines = [_said(found.setting), *([f"from     {source}"] if source else [])]
    lines.append(f"chance   {found.reason or _chance(found)}")
    if len(found.brier):
        lines.append(f"tested   {_tested(found)}")
    if len(found.nearest):
        lines += [f"nearest  {_run(row)}" for _, row in found.nearest.iterrows()]
        lines.append(f"wrong    {_wrong(found)}")
    if not found.reason:
        lines.append(f"change   {_change(found)}")
    if len(found.nearest) and results is not None:
        lines.append(f"look     stability show {shlex.quote(str(results))} {found.nearest['run'].iloc[0]}")
    return "\n".join(lines)


def summary(found: Advice, results: Path | None, source: str = "") -> dict[str, Any]:
    """The same for machines; a number that there is not is null."""
    plain = {field.name: getattr(found, field.name) for field in fields(Advice)}
    plain |= {"better": found.better, "sure": found.sure}
    tables = {name: as_rows(value) for name, value in plain.items() if isinstance(value, pd.DataFrame)}
    for row in tables["nearest"] if results is not None else ():
        row["show"] = f"stability show {shlex.quote(str(results))} {row['run']}"
    numbers = {name: None if found.reason else plain[name] for name in ("chance", "ci_low")}
    named = {"source": source} if source else {}
    return named | plain | tables | numbers | {"change": asdict(found.change) if found.change else None}


def _said(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {number(value)}" for name, value in values.items())


def _chance(found: Advice) -> str:
    over = f", averaged over {listed(found.averaged)}" if found.averaged else ""
    told = f"{plural(found.n_runs, 'run')} at {plural(found.n_points, found.unit)}"
    bound = f"at least {at_least(found.ci_low)} (95% bound)"
    return f"{percent(found.chance)} to end stable or nearly so, {bound}, by {told}{over}"


def _tested(found: Advice) -> str:
    advice, overall = found.brier["estimate"].iloc[:2]
    how = "better" if found.better else "not surely better: the parameters that were set tell little"
    return f"on points left out, Brier score {number(advice)}, of the overall rate {number(overall)}: {how}"


def _run(row: pd.Series) -> str:
    return f"{row['run']}  {row['outcome']}  at a distance of {number(row['distance'])}"


def _wrong(found: Advice) -> str:
    of = f"of the {len(found.nearest)} nearest runs"
    by_kind = found.wrong.drop_duplicates("kind").set_index("kind")["name"].to_dict()
    counts = found.wrong.set_index("name")["n_runs"]
    if "outcome" not in by_kind:
        return f"none {of} failed"
    event = f"; {by_kind['event']} in {counts[by_kind['event']]}" if "event" in by_kind else ""
    return f"{by_kind['outcome']} in {counts[by_kind['outcome']]} {of}{event}"


def _change(found: Advice) -> str:
    change = found.change
    if change is None:
        return "no single change is seen to raise it"
    sure = "" if found.sure else "; that it is higher there is not sure"
    before = number(found.setting[change.parameter])
    there = f"{percent(change.chance)}, at least {at_least(change.ci_low)}"
    return f"{change.parameter} {before} -> {number(change.value)}: {there}{sure}"

"""Results folders in, a report out: one study or two, as a page, JSON or CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from stability.analysis.estimates import Estimates, estimate
from stability.analysis.factors import numeric
from stability.analysis.frames import load
from stability.analysis.study import Study
from stability.analysis.versus import Versus, versus
from stability.errors import StabilityError
from stability.report.export import Tables, write_csv, write_json, write_text
from stability.report.facts import cautions, facts
from stability.report.page import REPLAY, render, render_versus
from stability.report.sections.versus import versus_cautions

Format = Literal["html", "json", "csv"]


def write(
    folders: Sequence[Path], kind: Format, out: Path | None = None, *, map_over: str | None = None
) -> Path:
    """Write the report of one study, or of two side by side, and return where.

    By default `reports/<folder's name>.html` or `.json`, or the folder `reports/<folder's name>` with a CSV
    file for each table; two names are joined by `-vs-`. `map_over` names the two parameters of one study's
    maps, as in `lr,beta1`.
    Raises `StabilityError`: a folder is missing or damaged, holds no study, or the report cannot be written.
    """
    if map_over is not None and len(folders) > 1:
        raise StabilityError("--map: two studies side by side have no map")
    studies = [_study(folder, map_over) for folder in folders]
    name = "-vs-".join(folder.resolve().name for folder in folders)
    place = out or Path("reports") / (name if kind == "csv" else f"{name}.{kind}")
    if len(studies) == 2:
        return _write_versus(versus(*studies), kind, place)
    return _write_study(estimate(studies[0]), kind, place)


def _study(folder: Path, map_over: str | None) -> Study:
    study = Study(load(folder))
    if map_over is None:
        return study
    names = tuple(name.strip() for name in map_over.split(","))
    drawn = numeric(study.frames.spec, study.runs)
    if len(set(names)) != 2 or not set(names) <= set(drawn):
        allowed = ", ".join(drawn) or "none, nothing was drawn from a range"
        raise StabilityError(f"--map {map_over}: must be two parameters, as in lr,beta1; allowed: {allowed}")
    return replace(study, map_over=names)


def _write_study(estimates: Estimates, kind: Format, out: Path) -> Path:
    if kind == "html":
        return write_text(out, render(estimates, replay_command=REPLAY))
    return _write_tables(about(estimates.study), estimates.tables(), kind, out)


def _write_versus(result: Versus, kind: Format, out: Path) -> Path:
    if kind == "html":
        return write_text(out, render_versus(result))
    both = zip((result.first, result.second), result.names, strict=True)
    first, second = (about(study) | {"study": name} for study, name in both)
    content = {"first": first, "second": second, "cautions": versus_cautions(result)}
    return _write_tables(content, result.tables(), kind, out)


def _write_tables(content: dict[str, Any], tables: Tables, kind: Format, out: Path) -> Path:
    return write_json(content, tables, out) if kind == "json" else write_csv(tables, out)


def about(study: Study) -> dict[str, Any]:
    """What the numbers rest on, as the page's banner says it."""
    return {
        "study": study.frames.name,
        "design": {fact.name.lower(): fact.text for fact in facts(study)},
        "cautions": cautions(study),
    }

"""Results folders in, a report out: one study or two, as a page, JSON or CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from stability.errors import StabilityError
from stability.page_kit.blocks import Block
from stability.questions.all import Estimates, Tell, estimate, silent
from stability.questions.contents import contents_of
from stability.questions.two_studies.estimate import Versus, versus
from stability.questions.two_studies.section import versus_cautions, versus_sections
from stability.reading.factors import numeric
from stability.reading.frames import load
from stability.reading.study import Study
from stability.report.export import Tables, write_csv, write_json, write_text
from stability.report.facts import cautions, facts
from stability.report.page import REPLAY, render, render_versus
from stability.report.paper import write_figures, write_tables
from stability.spec.relations import own_code

Format = Literal["html", "json", "csv"]


@dataclass(frozen=True, slots=True)
class Extras:
    """What is written besides the report, each into a folder of its own."""

    figures: Path | None = None
    tables: Path | None = None

    def write(self, blocks: Sequence[Block]) -> None:
        """Write what was asked for. Raises `StabilityError` where that is not possible."""
        if self.figures is not None:
            write_figures(blocks, self.figures)
        if self.tables is not None:
            write_tables(blocks, self.tables)


def write(
    folders: Sequence[Path],
    kind: Format,
    out: Path | None = None,
    *,
    map_over: str | None = None,
    extras: Extras = Extras(),
    tell: Tell = silent,
    follow: int | None = None,
) -> Path:
    """Write the report of one study, or of two side by side, and return where.

    By default `reports/<folder's name>.html` or `.json`, or the folder `reports/<folder's name>` with a CSV
    file for each table; two names are joined by `-vs-`. `map_over` names the two parameters of one study's
    maps, as in `lr,beta1`. `tell` is told of every step that takes a while. A page of one study
    reads itself again after `follow` seconds.
    Raises `StabilityError`: a folder is missing or damaged, holds no study, or the report cannot be written.
    """
    if map_over is not None and len(folders) > 1:
        raise StabilityError("--map: two studies side by side have no map")
    tell("reading")
    studies = [_study(folder, map_over) for folder in folders]
    name = "-vs-".join(folder.resolve().name for folder in folders)
    place = out or Path("reports") / (name if kind == "csv" else f"{name}.{kind}")
    if len(studies) == 2:
        tell("comparing")
        return _write_versus(versus(*studies), kind, place, extras)
    return _write_study(estimate(studies[0], tell), kind, place, extras, tell, follow)


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


def _write_study(
    estimates: Estimates, kind: Format, out: Path, extras: Extras, tell: Tell, follow: int | None
) -> Path:
    contents = None
    if len(estimates.study.runs) and (kind == "html" or extras != Extras()):
        tell("drawing")
        contents = contents_of(estimates)
        extras.write(contents.blocks)
    tell("writing")
    if kind == "html":
        again = f"{REPLAY} --allow-code" if own_code(estimates.study.frames.spec) else REPLAY
        page = render(estimates, replay_command=again, contents=contents, follow=follow)
        return write_text(out, page)
    return _write_tables(about(estimates.study), estimates.tables(), kind, out)


def _write_versus(result: Versus, kind: Format, out: Path, extras: Extras) -> Path:
    sections = versus_sections(result)
    extras.write([block for section in sections for block in section.blocks])
    if kind == "html":
        return write_text(out, render_versus(result, sections))
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

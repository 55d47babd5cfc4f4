"""Arrange finished estimates, figures and tables into one self-contained HTML file.

The page loads nothing: styles, script, figures, pictures and data are inside it, and its content security
policy forbids any request. Text from a study reaches it only through Jinja's autoescaping.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from stability.analysis.frames import StudyFrames
from stability.errors import StabilityError
from stability.report import words
from stability.report.cards import run_cards
from stability.report.embed import content_policy, csv_uri
from stability.report.palette import LOOKS, outline
from stability.report.shares import map_block, share_blocks
from stability.report.study import ALL, Study, cautions, facts, prior, thresholds
from stability.report.table import run_table

HERE = Path(__file__).parent


def write_report(
    frames: StudyFrames, out: Path, *, replay_command: str = "stability replay {folder} {run}"
) -> Path:
    """Write a study's page and return its path; folders above it are made.

    `replay_command` is shown beside a chosen run, with `{folder}` and `{run}` filled in and quoted.
    Raises `StabilityError` where the file cannot be written.
    """
    page = render(frames, replay_command=replay_command)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise StabilityError(f"{out}: cannot be written ({error.strerror})") from None
    return out


def render(frames: StudyFrames, *, replay_command: str) -> str:
    """The page as text."""
    study = Study(frames)
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(csv=csv_uri, spaced=lambda name: str(name).replace("_", " "))
    content = _study_content(study) | (_results(study, replay_command) if len(frames.runs) else {})
    return environment.get_template("page.html.j2").render(**content)


def _study_content(study: Study) -> dict[str, Any]:
    script = (HERE / "page.js").read_text(encoding="utf-8")
    return {
        "name": study.frames.name,
        "policy": content_policy(script),
        "style": Markup((HERE / "page.css").read_text(encoding="utf-8")),
        "script": Markup(script),
        "headline": _headline(study),
        "n_compared": _n_compared(study),
        "main_factor": study.main_factor,
        "facts": facts(study),
        "cautions": cautions(study),
        "prior": prior(study),
        "thresholds": thresholds(study),
        "finished": len(study.frames.runs),
        "planned": len(study.frames.plan.runs),
        "looks": {str(outcome): look for outcome, look in LOOKS.items()},
        "outlines": {str(outcome): outline(look.marker) for outcome, look in LOOKS.items()},
    }


def _results(study: Study, replay_command: str) -> dict[str, Any]:
    return {
        "all": ALL,
        "estimable": study.estimable,
        "outcomes": study.outcomes,
        "blocks": share_blocks(study),
        "map": map_block(study),
        "cards": run_cards(study, replay_command),
        "table": run_table(study),
    }


def _n_compared(study: Study) -> int:
    """The levels for which the headline's intervals hold at once; 0 where it gives none."""
    if study.main_factor is None or not study.estimable or words.is_thin(study.verdict.stable.iloc[0]):
        return 0
    return len(study.verdict.stable)


def _headline(study: Study) -> list[str]:
    frames = study.frames
    if frames.runs.empty:
        return [f"Nothing has finished yet: 0 of {words.plural(len(frames.plan.runs), 'planned run')}."]
    if not study.estimable:
        return words.adaptive_headline(study.runs["outcome"], frames.spec.design.sampler)
    sentences = words.headline(study.verdict)
    if len(frames.runs) < len(frames.plan.runs):
        so_far = f"{len(frames.runs):,} of {words.plural(len(frames.plan.runs), 'planned run')}"
        sentences.insert(1, f"This is how it stands after {so_far}.")
    return sentences

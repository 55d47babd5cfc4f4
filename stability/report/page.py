"""Arrange finished estimates, figures and tables into one self-contained HTML file.

The page loads nothing: styles, scripts, figures, pictures and data are inside it, and its content security
policy forbids any request. Text from a study reaches it only through Jinja's autoescaping.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from markupsafe import Markup

from stability.page_kit.blocks import Section
from stability.page_kit.embed import content_policy
from stability.page_kit.palette import LOOKS, outline
from stability.page_kit.words import plural
from stability.questions.all import Estimates, estimate
from stability.questions.contents import Contents, contents_of
from stability.questions.outcomes.bars import outcome_bars
from stability.questions.outcomes.headline import adaptive_headline, headline
from stability.questions.outcomes.on_the_way import on_the_way
from stability.questions.outcomes.tiles import tiles
from stability.questions.two_studies.estimate import Versus
from stability.questions.two_studies.section import versus_cautions, versus_headline, versus_sections
from stability.reading.frames import StudyFrames
from stability.reading.study import Study
from stability.report.badge import honesty
from stability.report.explorer import explorer
from stability.report.export import write_text
from stability.report.facts import about, facts, prior, thresholds
from stability.report.gallery import gallery
from stability.report.methods import citation, methods
from stability.report.page_script import page_script
from stability.report.templates import HERE, environment
from stability.report.terms import TERMS

STYLES = ("page.css", "explorer.css")
THIN = dict.fromkeys(
    ("compare", "time", "warning"), "So few runs say next to nothing of this; what can be told all the same"
)
"""Sections that are folded where a study bears no rates, each under these words."""
REPLAY = "stability replay {folder} {run}"


def write_report(frames: StudyFrames, out: Path, *, replay_command: str = REPLAY) -> Path:
    """Write a study's page and return its path; folders above it are made.

    `replay_command` is shown beside a chosen run, with `{folder}` and `{run}` filled in and quoted.
    Raises `StabilityError` where the file cannot be written.
    """
    return write_text(out, render(estimate(Study(frames)), replay_command=replay_command))


def render(
    estimates: Estimates,
    *,
    replay_command: str,
    written: date | None = None,
    contents: Contents | None = None,
    follow: int | None = None,
) -> str:
    """The page as text, dated `written`: today, if it is not told otherwise.

    `contents` are those of the estimates, where they have been made already. After `follow` seconds it reads
    itself again.
    """
    study = estimates.study
    content: dict[str, Any] = {"observed": study.frames.spec.observed, "follow": follow}
    content |= _about(estimates, written or date.today()) | _headline(estimates)
    if len(study.runs):
        contents = contents or contents_of(estimates)
        content |= {
            "gallery": gallery(study),
            "sections": contents.sections,
            "unanswered": contents.unanswered,
            "explorer": explorer(study, replay_command),
        }
    return fill("page.html.j2", f"{study.frames.name}: training stability", content)


def render_versus(result: Versus, sections: Sequence[Section] | None = None) -> str:
    """The page of two studies as text; `sections` are its own, where they have been made already."""
    both = zip(facts(result.first), facts(result.second), strict=True)
    content = {
        "name": "-vs-".join(result.names),
        "names": result.names,
        "headline": versus_headline(result),
        "facts": [(one.name, one.text, other.text) for one, other in both],
        "cautions": versus_cautions(result),
        "sections": sections or versus_sections(result),
    }
    return fill("versus.html.j2", " and ".join(result.names) + ": training stability", content)


def fill(template: str, title: str, content: dict[str, Any]) -> str:
    """A page from one of the templates: its frame (policy, styles, scripts, symbols) and its content."""
    script = page_script()
    frame = {
        "title": title,
        "policy": content_policy(script),
        "style": Markup("".join((HERE / name).read_text(encoding="utf-8") for name in STYLES)),
        "script": Markup(script),
        "looks": {str(outcome): look for outcome, look in LOOKS.items()},
        "outlines": {str(outcome): outline(look.marker) for outcome, look in LOOKS.items()},
    }
    return environment().get_template(template).render(**frame, **content)


def _about(estimates: Estimates, written: date) -> dict[str, Any]:
    study, bearing = estimates.study, honesty(estimates)
    return {
        "name": study.frames.name,
        "about": about(study, written),
        "bearing": bearing,
        "thin": {} if bearing.bears_rates else THIN,
        "facts": facts(study),
        "prior": prior(study),
        "thresholds": thresholds(study),
        "terms": TERMS,
        "methods": methods(study),
        "citation": citation(),
        "finished": len(study.runs),
    }


def _headline(estimates: Estimates) -> dict[str, Any]:
    return {
        "headline": _sentences(estimates),
        "tiles": tiles(estimates),
        "on_the_way": on_the_way(estimates.study),
        "bars": outcome_bars(estimates) if estimates.study.runs["point"].nunique() > 1 else None,
    }


def _sentences(estimates: Estimates) -> list[str]:
    study, planned = estimates.study, len(estimates.study.frames.plan.runs)
    if study.runs.empty:
        return [f"Nothing has finished yet: 0 of {plural(planned, 'planned run')}."]
    if not study.estimable:
        return adaptive_headline(study.runs["outcome"], study.frames.spec.design.sampler)
    sentences = headline(estimates.verdict)
    if len(study.runs) < planned:
        so_far = f"{len(study.runs):,} of {plural(planned, 'planned run')}"
        sentences.insert(1, f"This is how it stands after {so_far}.")
    return sentences

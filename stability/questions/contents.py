"""Which sections the page has, in which order, and which blocks stand in each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stability.page_kit.blocks import Block, Section
from stability.questions.all import PARTS, Estimates, Findings
from stability.questions.autopsy.section import autopsy_blocks
from stability.questions.outcomes.section import count_block, rate_block
from stability.questions.question import Question
from stability.questions.stable_region.runs_section import map_block
from stability.reading.study import ALL, Study

UNFOLDED = ("safe-box", "early-stop", "best-of-a-budget", "saturation-typical")
"""Besides the first answer of every section, these stand open; the others show their question."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What the page shows below its first screen."""

    sections: tuple[Section, ...]
    """Those that have anything to show."""
    unanswered: tuple[Block, ...]
    """Questions of which there is nothing to show but why."""

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The questions that have an answer, in the page's order."""
        return tuple(block for section in self.sections for block in section.blocks)


SINGLE = Block(
    key="single",
    question="How often, where and why do runs fail?",
    finding="That takes at least two settings, or two seeds of one: here is one run of each kind.",
)


def contents_of(estimates: Estimates) -> Contents:
    """All questions, in the page's order, parted into those that have an answer and the others."""
    study, found = estimates.study, estimates.findings
    if study.runs["point"].nunique() < 2:
        return Contents((), (SINGLE,))
    sections = [_section("shares", "Outcomes", _outcomes(estimates), with_tables=True)]
    if found is None:
        single = (block for one in estimates.autopsies for block in autopsy_blocks(study, one))
        sections.append(_section("map", "Map", map_block(study)))
        sections.append(_section("autopsies", "How it goes wrong", single))
    else:
        for key, (title, questions) in PARTS.items():
            sections.append(_section(key, title, _blocks(study, found, questions)))
    blocks = [block for section in sections for block in section.blocks]
    shown = [section.answered() for section in sections]
    return Contents(
        tuple(section for section in shown if section.blocks),
        tuple(block for block in blocks if not block.is_answered),
    )


def _section(key: str, title: str, blocks: Iterable[Block], *, with_tables: bool = False) -> Section:
    """The first answer open, most others folded; tables that repeat a figure folded, too."""
    pruned = (block.pruned() for block in blocks)
    shown = [block if with_tables else block.with_tables_folded() for block in pruned]
    first = next((block.key for block in shown if block.is_answered), "")
    return Section(
        key, title, tuple(block if block.key in (first, *UNFOLDED) else block.fold() for block in shown)
    )


def _outcomes(estimates: Estimates) -> Iterable[Block]:
    study = estimates.study
    for factor in study.factors or (ALL,):
        if factor in estimates.rates:
            yield rate_block(study, factor, estimates.rates[factor])
        else:
            yield count_block(study, factor, estimates.counts[factor])


def _blocks(study: Study, found: Findings, questions: Iterable[Question]) -> Iterable[Block]:
    for question in questions:
        yield from question.blocks(study, *(found[name] for name in question.names))

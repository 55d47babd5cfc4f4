"""Which sections the page has, in which order, and which blocks stand in each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stability.page_kit.blocks import Block, Section
from stability.questions.all import Estimates, Findings
from stability.questions.autopsy.section import autopsy_blocks
from stability.questions.comparison.section import comparisons_blocks
from stability.questions.cost.section import costs_blocks
from stability.questions.early_stop.section import early_stop_blocks
from stability.questions.early_warning.section import warning_blocks
from stability.questions.importance.section import importance_blocks
from stability.questions.outcomes.section import count_block, rate_block
from stability.questions.seed_or_configuration.section import variance_blocks
from stability.questions.sensitivity.section import sensitivity_blocks
from stability.questions.stable_region.runs_section import map_block
from stability.questions.stable_region.section import regions_blocks
from stability.questions.subspaces.section import subbox_blocks
from stability.questions.time_to_event.section import survival_blocks
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
        sections.append(_section("map", "Map", _runs_map(study)))
        single = (block for found in estimates.autopsies for block in autopsy_blocks(study, found))
        sections.append(_section("autopsies", "How it goes wrong", single))
    else:
        sections += [
            _section("map", "Where it succeeds", _maps(study, found)),
            _section("compare", "Comparison", _comparison(study, found, estimates.factor)),
            _section("matters", "What matters", importance_blocks(study, found.importance)),
            _section("autopsies", "How it goes wrong", _autopsies(study, found)),
            _section("time", "Time to collapse", survival_blocks(study, found.survival, found.incidence)),
            _section("warning", "Early warning", _warning(study, found)),
            _section("trust", "How far to trust it", _trust(study, found)),
        ]
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


def _comparison(study: Study, found: Findings, factor: str) -> Iterable[Block]:
    yield from comparisons_blocks(study, found.comparisons, found.same_runs)
    yield from costs_blocks(study, found.costs, factor)
    yield from subbox_blocks(study, found.subboxes, factor)


def _runs_map(study: Study) -> list[Block]:
    block = map_block(study)
    return [block] if block else []


def _maps(study: Study, found: Findings) -> list[Block]:
    """The estimated map first, where there is one: it shows the runs, too."""
    estimated, runs = regions_blocks(study, found.regions, found.boxes), _runs_map(study)
    return [*runs, *estimated] if found.regions.reason else [*estimated, *runs]


def _autopsies(study: Study, found: Findings) -> Iterable[Block]:
    for autopsies in found.autopsies:
        yield from autopsy_blocks(study, autopsies)


def _warning(study: Study, found: Findings) -> Iterable[Block]:
    yield from warning_blocks(study, found.warning)
    yield from early_stop_blocks(study, found.early_stops)


def _trust(study: Study, found: Findings) -> Iterable[Block]:
    yield from variance_blocks(study, found.variance, found.budget)
    yield from sensitivity_blocks(study, found.sensitivity)

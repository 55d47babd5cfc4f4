from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import pytest
from many_runs import make_many

from stability.page_kit.blocks import Block, Section
from stability.page_kit.words import NOTHING
from stability.questions import contents
from stability.questions.all import PARTS, Estimates, estimate
from stability.questions.contents import UNFOLDED, Contents, contents_of
from stability.reading.frames import StudyFrames, load
from stability.reading.study import Study
from stability.spec import Choice, Design, Range

MakeStudy = Callable[..., StudyFrames]
ORDER = ["shares", *PARTS]


@pytest.fixture(scope="module")
def estimates(tmp_path_factory: pytest.TempPathFactory) -> Estimates:
    return estimate(Study(load(make_many(tmp_path_factory.mktemp("contents") / "many", 20, 1).folder)))


@pytest.fixture(scope="module")
def contents_found(estimates: Estimates) -> Contents:
    return contents_of(estimates)


@pytest.fixture(scope="module")
def sections(contents_found: Contents) -> list[Section]:
    return list(contents_found.sections)


def blocks(sections: list[Section]) -> list[Block]:
    return [block for section in sections for block in section.blocks]


def test_sections_stand_in_the_order_of_the_questions(sections: list[Section]) -> None:
    keys = [section.key for section in sections]
    assert keys == [key for key in ORDER if key in keys]
    assert {"shares", "map", "compare", "autopsies", "time", "warning"} <= set(keys)
    assert len({section.title for section in sections}) == len(keys)
    assert all(section.blocks for section in sections)


def test_keys_are_safe_ids_and_each_stands_once(contents_found: Contents) -> None:
    answered = blocks(list(contents_found.sections))
    keys = [*ORDER, *(block.key for block in (*answered, *contents_found.unanswered))]
    assert len(keys) == len(set(keys))
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*", key) for key in keys)
    assert set(UNFOLDED) <= set(keys)


def test_every_table_s_files_have_a_name_of_their_own_that_says_what_it_is(contents_found: Contents) -> None:
    names = [name for block in contents_found.blocks for name, _ in block.named_tables]
    assert len(names) == len(set(names))
    assert {"ends-by-loss", "shares-by-loss", "events-by-loss", "recoveries-collapse"} <= set(names)
    assert not any(re.search(r"-\d$", name) for name in names)


def test_the_first_block_of_every_section_is_open_and_most_others_folded(sections: list[Section]) -> None:
    for section in sections:
        open_ones = [block.key for block in section.blocks if not block.folded]
        first, *rest = (block.key for block in section.blocks)
        assert open_ones == [first, *(key for key in rest if key in UNFOLDED)]


def test_tables_beside_a_figure_are_folded_but_for_the_outcomes(sections: list[Section]) -> None:
    for block in blocks(sections):
        folded = [bool(table.folded) for table in block.tables]
        if block.key.startswith("shares-by-"):
            assert folded == [False, True, True]
        elif block.figure is not None:
            assert all(folded), block.key
    assert any(block.tables and block.figure is None for block in blocks(sections))


def test_every_block_answers_with_something(sections: list[Section]) -> None:
    for block in blocks(sections):
        assert block.question.endswith("?"), block.key
        assert block.figure is not None or block.finding or block.tables, block.key
        assert block.data.columns.is_unique, block.key
        for table in block.tables:
            assert all(len(row) == len(table.heads) for row in table.rows), block.key


def test_the_outcomes_of_every_factor_are_shown(estimates: Estimates, sections: list[Section]) -> None:
    keys = [block.key for block in sections[0].blocks]
    assert keys == [f"shares-by-{factor}" for factor in estimates.study.factors]


def test_the_map_of_runs_comes_first_where_none_is_estimated(
    estimates: Estimates, sections: list[Section], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [block.key for block in sections[1].blocks][-2:] == ["map-of-runs", "along-each-parameter"]
    for key in ORDER[2:]:
        monkeypatch.setitem(contents.PARTS, key, (key, ()))
    assert estimates.findings is not None
    regions = dataclasses.replace(estimates.findings["regions"], reason="not estimable: so planted")
    findings = estimates.findings | {"regions": regions}
    turned = contents_of(dataclasses.replace(estimates, findings=findings)).sections
    assert [section.key for section in turned] == ["shares", "map"]  # what is empty has no section
    assert turned[1].blocks[0].key == "map-of-runs"
    assert not turned[1].blocks[0].folded


def test_a_search_has_counts_and_its_map(make_study: MakeStudy) -> None:
    found = estimate(Study(make_study(design=Design(sampler="tpe", points=6, seeds=1))))
    shown = list(contents_of(found).sections)
    assert [section.key for section in shown] == ["shares", "map"]
    assert {block.key.rpartition("-by-")[0] for block in shown[0].blocks} == {"counts"}
    assert [block.key for block in shown[1].blocks] == ["map-of-runs"]
    tables = [table for block in blocks(shown) for table in block.tables]
    assert not any(cell.detail for table in tables for row in table.rows for cell in row)


def test_a_search_without_ranges_has_no_map(make_study: MakeStudy) -> None:
    space: dict[str, Range | Choice] = {"loss": Choice(values=("hinge", "minimax"))}
    frames = make_study(space=space, design=Design(sampler="tpe", points=4, seeds=1))
    assert [section.key for section in contents_of(estimate(Study(frames))).sections] == ["shares"]


def test_what_has_no_answer_is_told_with_its_reason_and_not_shown(contents_found: Contents) -> None:
    assert contents_found.unanswered
    for block in contents_found.unanswered:
        assert (block.figure, block.tables, block.snippet) == (None, (), "")
        assert block.finding.endswith("."), block.key
    for block in blocks(list(contents_found.sections)):
        assert block.is_answered
        for table in block.tables:
            for place in range(1, len(table.heads)):
                assert any(row[place].text != NOTHING for row in table.rows), (block.key, table.caption)


def test_a_single_point_has_no_sections(make_study: MakeStudy) -> None:
    found = contents_of(estimate(Study(make_study(design=Design(points=1, seeds=1)))))
    assert found.sections == ()
    assert [block.key for block in found.unanswered] == ["single"]

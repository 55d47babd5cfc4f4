from __future__ import annotations

import base64
import re

import pandas as pd
from markupsafe import Markup

from stability.page_kit.blocks import Block, Section
from stability.page_kit.estimate import Cell
from stability.page_kit.tables import Head, Table
from stability.page_kit.words import NOTHING
from stability.report.templates import environment

HEADS = (Head("loss", is_number=False), Head("stable", "stable"), Head("n_runs"))
ROWS = (
    (Cell("hinge"), Cell(".50", "[.40, .60]"), Cell("80")),
    (Cell("<b>"), Cell(NOTHING, "", "why"), Cell("0")),
)
DATA = pd.DataFrame({"loss": ["hinge"], "estimate": [0.5]})
BLOCK = Block(
    key="shares",
    question="How do runs <i>end</i>?",
    finding="Most end & some do not.",
    figure=Markup("<svg></svg>"),
    note="Small print.",
    tables=(Table("Shares", HEADS, ROWS),),
    data=DATA,
)


def drawn(block: Block, name: str = "study") -> str:
    template = '{% from "blocks.html.j2" import block_of %}{{ block_of(block, name) }}'
    return environment().from_string(template).render(block=block, name=name)


def test_an_open_block_shows_its_question_and_answer_in_order() -> None:
    text = drawn(BLOCK)
    assert re.match(r'\s*<div class="block" id="shares">\s*<h3>', text)
    assert "<summary>" not in text
    parts = ["<h3>", "Most end &amp; some do not.", "<svg></svg>", "Small print.", "<table", "download="]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert text.count("Small print.") == 1


def test_a_folded_block_shows_its_question_only() -> None:
    text = drawn(BLOCK.fold())
    assert re.match(r'\s*<details class="block" id="shares">\s*<summary><h3>How do runs', text)
    assert text.rstrip().endswith("</details>")
    assert "<details open" not in text
    assert (BLOCK.folded, BLOCK.fold().fold()) == (False, BLOCK.fold())


def test_tables_are_folded_where_a_figure_shows_the_same() -> None:
    folded = BLOCK.with_tables_folded()
    assert [table.folded for table in folded.tables] == ["The same as a table"]
    text = drawn(folded)
    assert re.search(r"<details>\s*<summary>The same as a table</summary>\s*<div.*?<table", text, re.DOTALL)
    own = Block("k", "q", "", Markup("<svg></svg>"), "", (Table("t", HEADS, ROWS, "Own words"),), DATA)
    assert own.with_tables_folded().tables[0].folded == "Own words"


def test_without_a_figure_tables_stay_open_and_the_note_stands() -> None:
    bare = Block("k", "q", "", None, "Small print.", BLOCK.tables, DATA)
    assert bare.with_tables_folded() == bare
    text = drawn(bare)
    assert "<details" not in text
    assert "<figure" not in text
    assert text.count("Small print.") == 1


def test_cells_stand_below_their_heads_with_intervals_and_reasons() -> None:
    text = drawn(BLOCK)
    assert text.count('<th scope="col"') == len(HEADS)
    assert text.count('<th scope="row"') == len(ROWS)
    assert '<use href="#glyph-stable"/>' in text
    assert '<b>.50</b> <span class="interval">[.40, .60]</span>' in text
    assert f'title="why">{NOTHING}</td>' in text


def test_text_never_becomes_markup() -> None:
    hurt = Block("k", "<i>q</i>", "<u>f", None, '"><s>', BLOCK.tables, DATA, snippet="a: <b>")
    for text in (drawn(hurt, '"><s>'), drawn(hurt.fold(), "'<s>")):
        assert not re.search(r"<(i|u|s|b)>(?!\.)", text)
        assert "&lt;i&gt;q&lt;/i&gt;" in text
        assert "a: &lt;b&gt;" in text


def test_the_data_of_a_block_can_be_downloaded() -> None:
    found = re.search(r'download="study-shares\.csv" href="data:text/csv;base64,([^"]+)"', drawn(BLOCK))
    assert found is not None
    assert base64.b64decode(found[1]).decode().splitlines() == ["loss,estimate", "hinge,0.5"]


def test_a_section_holds_its_blocks_under_its_title() -> None:
    template = '{% from "blocks.html.j2" import section_of %}{{ section_of(section, "s") }}'
    section = Section("compare", "Com<pare", (BLOCK, BLOCK.fold()))
    text = environment().from_string(template).render(section=section)
    assert re.search(
        r'<section id="compare" aria-labelledby="compare-title">\s*<h2 id="compare-title">', text
    )
    assert "Com&lt;pare" in text
    assert (text.count('<div class="block"'), text.count('<details class="block"')) == (1, 1)


def missing(why: str) -> Cell:
    return Cell(NOTHING, "", f"not estimable: {why}")


LONG = (Head("loss", is_number=False), Head("stable"), Head("fid"), Head("n_runs"))


def table(*rows: tuple[Cell, ...]) -> Table:
    return Table("Shares [95% interval], by loss", LONG, rows)


def test_a_question_without_any_estimate_is_not_answered() -> None:
    row = (Cell("hinge"), missing("it takes 10 points"), missing("it takes 10 points"), Cell("80"))
    for finding, told in (("Too few.", "Too few."), ("", "Shares, by loss: it takes 10 points.")):
        block = Block("k", "q?", finding, None, "", (table(row),), DATA).pruned()
        assert not block.is_answered
        assert (block.finding, block.tables) == (told, ())
    drawn_too = Block("k", "q?", "", Markup("<svg></svg>"), "", (table(row),), DATA).pruned()
    assert drawn_too.is_answered
    assert drawn_too.missing == ("Shares, by loss: it takes 10 points",)
    text = drawn(drawn_too)
    assert "<table" not in text
    assert re.search(r'<details class="missing">\s*<summary>Not estimable here', text)
    assert "<li>Shares, by loss: it takes 10 points</li>" in text


def test_counts_alone_are_an_answer_where_nothing_is_missing() -> None:
    block = Block(
        "k", "q?", "", None, "", (Table("Counts", HEADS, ((Cell("hinge"), Cell("3"), Cell("9")),)),), DATA
    )
    assert block.pruned() == block
    assert block.is_answered

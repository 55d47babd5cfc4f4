"""A page that is written again while it is open, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import CHROMIUM, NO_CHROMIUM, PATIENCE, launched, new_tab
from synthetic import synthetic

from stability.questions.all import estimate
from stability.reading.study import Study
from stability.report.page import REPLAY, render
from stability.spec import Design

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a study of which the first half has finished."""
    folder = tmp_path_factory.mktemp("follow")
    frames = synthetic(
        folder / "results", design=Design(points=4, seeds=1, cross=("loss",)), finished=6, name="half"
    )
    page = folder / "page.html"
    page.write_text(render(estimate(Study(frames)), replay_command=REPLAY, follow=1), encoding="utf-8")
    return page


@pytest.fixture
def tab(path: Path) -> Iterator[Page]:
    with launched(playwright) as browser:
        opened = new_tab(browser, viewport={"width": 1000, "height": 700})
        opened.goto(path.as_uri())
        yield opened


def history_holds_the_place(tab: Page) -> bool:
    """Whether the page has yet to go back to where it stood."""
    holds: bool = tab.evaluate("history.state?.top !== undefined")
    return holds


def test_the_page_follows_what_is_written_and_stays_where_it_was(tab: Page, path: Path) -> None:
    assert "this page is read again every 1 s" in (tab.locator("header").text_content() or "")
    tab.locator("#search").fill("hinge")
    tab.locator("#search").blur()
    tab.locator("#advice [name=lr]").fill("1e-3")
    assert tab.evaluate("document.activeElement.name") == "lr"  # nothing is read again under the hand
    tab.evaluate("window.scrollTo({ top: 1200, behavior: 'instant' })")
    text = path.read_text(encoding="utf-8")
    over = text.replace("data-follow", "data-followed").replace("half: training", "whole: training")
    path.write_text(over, encoding="utf-8")
    tab.locator("#advice [name=lr]").blur()
    playwright.expect(tab).to_have_title("whole: training stability", timeout=PATIENCE)
    tab.wait_for_load_state()
    while history_holds_the_place(tab):
        tab.wait_for_timeout(50)
    assert tab.locator("#advice [name=lr]").input_value() == "1e-3"
    assert tab.locator("#search").input_value() == "hinge"
    # Neither at the top nor at the table, to which the address leads; late pictures shift it a little.
    assert tab.evaluate("window.scrollY") == pytest.approx(1200, abs=200)
    assert tab.evaluate("document.getElementById('table').offsetTop") > 2000

"""The page in a real browser: the system's Chromium, driven by Playwright."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

sys.path.insert(0, str(Path(__file__).parent))

import pytest
from browsing import CHROMIUM, NO_CHROMIUM, column, launched, silent_tab

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched(playwright) as browser:
        yield browser


@pytest.fixture
def opened(browser: Browser, page: Path) -> Iterator[Page]:
    with silent_tab(browser, page) as tab:
        yield tab


def sort_state(tab: Page, name: str) -> str | None:
    return tab.locator("#all-runs th", has=tab.get_by_role("button", name=name, exact=True)).get_attribute(
        "aria-sort"
    )


def test_numbers_sort_as_numbers_both_ways_and_say_so(opened: Page) -> None:
    button = opened.get_by_role("button", name="lr ratio", exact=True)
    button.click()
    rising = [float(text) for text in column(opened, "lr ratio")]
    assert rising == sorted(rising)
    assert sort_state(opened, "lr ratio") == "ascending"
    button.click()
    assert [float(text) for text in column(opened, "lr ratio")] == rising[::-1]
    assert sort_state(opened, "lr ratio") == "descending"
    opened.get_by_role("button", name="outcome", exact=True).click()
    assert column(opened, "outcome") == sorted(column(opened, "outcome"))
    assert sort_state(opened, "lr ratio") == "none"


def test_the_keyboard_sorts(opened: Page) -> None:
    opened.get_by_role("button", name="step", exact=True).focus()
    opened.keyboard.press("Enter")
    assert sort_state(opened, "step") == "ascending"
    assert column(opened, "step")[0] == "420"


def test_filters_combine_and_count(opened: Page) -> None:
    opened.locator("#outcome").select_option("saturated")
    assert set(column(opened, "outcome")) == {"saturated"}
    n_saturated = len(column(opened, "run"))
    assert opened.locator("#shown").text_content() == f"{n_saturated} of 48 runs"
    opened.locator("#search").fill("p00 hinge")
    assert all("hinge" in run for run in column(opened, "run"))
    assert len(column(opened, "run")) < n_saturated
    opened.locator("#search").fill("")
    opened.locator("#outcome").select_option("")
    assert len(column(opened, "run")) == 48


def test_missing_values_come_last_both_ways(opened: Page) -> None:
    button = opened.get_by_role("button", name="fid excess", exact=True)
    for _ in range(2):
        button.click()
        texts = column(opened, "fid excess")
        known = [text for text in texts if text != "\u2013"]
        assert texts[: len(known)] == known


def test_the_table_shows_a_page_of_runs_and_turns(opened: Page) -> None:
    opened.evaluate("document.querySelector('#page-next').scrollIntoView()")
    assert opened.locator("#page-number").text_content() == "page 1 of 1"
    assert opened.locator("#page-next").is_disabled()
    assert len(column(opened, "run")) == 48
    opened.locator("#search").fill("nothing has this in it")
    assert column(opened, "run") == []
    assert opened.locator("#no-runs").is_visible()


def test_without_a_script_the_page_points_to_the_file(browser: Browser, page: Path) -> None:
    with silent_tab(browser, page, java_script_enabled=False) as tab:
        assert tab.get_by_text("need a script, which has not run").is_visible()
        assert tab.get_by_role("link", name="All runs (CSV)").is_visible()
        assert not tab.locator("#explorer").is_visible()


def test_with_its_script_the_page_does_not_ask_for_one(opened: Page) -> None:
    assert not opened.get_by_text("need a script, which has not run").is_visible()
    assert opened.locator("#explorer").is_visible()


def test_filmstrips_stay_crisp(opened: Page) -> None:
    assert (
        opened.evaluate("getComputedStyle(document.querySelector('.film img')).imageRendering") == "pixelated"
    )
    assert opened.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")


@pytest.mark.parametrize(("motion", "moves"), [("no-preference", True), ("reduce", False)])
def test_films_move_unless_asked_not_to(
    opened: Page, motion: Literal["no-preference", "reduce"], moves: bool
) -> None:
    opened.emulate_media(reduced_motion=motion)
    film = opened.locator(".moving img").first
    film.scroll_into_view_if_needed()
    source, shown = film.get_attribute("src"), film.evaluate("image => image.currentSrc")
    assert (shown == source) == moves
    first = film.screenshot()
    opened.wait_for_timeout(2500)
    assert (film.screenshot() != first) == moves


def test_a_film_can_be_closed(opened: Page) -> None:
    opened.locator(".moving summary").first.click()
    assert not opened.locator(".moving img").first.is_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_itself_never_scrolls_sideways(opened: Page, width: int) -> None:
    opened.set_viewport_size({"width": width, "height": 800})
    assert opened.evaluate("document.documentElement.scrollWidth") <= width


def test_nothing_sticks_out_of_a_printed_page(opened: Page) -> None:
    opened.emulate_media(media="print")
    opened.set_viewport_size({"width": 718, "height": 1000})  # A4 between its default margins
    assert opened.evaluate("document.documentElement.scrollWidth") <= 718


@pytest.mark.parametrize("table", [".rates", "#all-runs"])
def test_on_a_phone_the_first_column_stays_while_a_table_scrolls(opened: Page, table: str) -> None:
    opened.set_viewport_size({"width": 390, "height": 800})
    places = opened.evaluate(
        """table => {
            const [first, second] = document.querySelector(`${table} tbody tr`).cells;
            const left = () => [first, second].map((cell) => cell.getBoundingClientRect().left);
            const before = left();
            first.closest(".scroll").scrollLeft = 100;
            return [before, left()];
        }""",
        table,
    )
    (first, second), (first_after, second_after) = places
    assert first_after == first
    assert second_after == pytest.approx(second - 100)


def test_figures_follow_the_theme(opened: Page) -> None:
    colour = "getComputedStyle(document.querySelector('svg.figure text')).fill"
    opened.emulate_media(color_scheme="light")
    light = opened.evaluate(colour)
    opened.emulate_media(color_scheme="dark")
    assert opened.evaluate(colour) != light

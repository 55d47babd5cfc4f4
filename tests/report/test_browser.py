"""The page in a real browser: the system's Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this system: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Browser, page: Path) -> Iterator[Page]:
    """The page in a tab; afterwards it must have been silent and have asked for nothing."""
    tab = browser.new_page()
    said: list[str] = []
    asked: list[str] = []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(page.as_uri())
    yield tab
    tab.close()
    assert not said
    assert [url for url in asked if not url.startswith("data:")] == [page.as_uri()]


def column(tab: Page, name: str) -> list[str]:
    """What the visible rows show in a column, top down."""
    texts: list[str] = tab.evaluate(
        """name => {
            const table = document.getElementById("all-runs");
            const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
            const column = heads.indexOf(name);
            const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden);
            return rows.map((row) => row.cells[column].textContent.trim());
        }""",
        name,
    )
    return texts


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


def test_a_run_up_close_is_one_click_away(opened: Page) -> None:
    link = opened.locator("#all-runs a").first
    link.click()
    assert opened.evaluate("document.querySelector(':target').matches('article.card')")


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

"""The page in a real browser: the system's Chromium, driven by Playwright."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from browsing import CHROMIUM, NO_CHROMIUM, column, launched, silent_tab
from PIL import Image

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
        assert tab.get_by_text("figure need a script, which has not run").is_visible()
        assert tab.get_by_role("link", name="All runs (CSV)").is_visible()
        assert not tab.locator("#explorer").is_visible()


def test_with_its_script_the_page_does_not_ask_for_one(opened: Page) -> None:
    assert opened.get_by_text("need a script, which has not run").filter(visible=True).count() == 0
    assert opened.locator("#explorer").is_visible()


def test_all_pictures_are_whole(opened: Page) -> None:
    assert opened.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_films_move_under_the_pointer_and_the_keyboard_unless_asked_not_to(
    opened: Page, motion: Literal["no-preference", "reduce"]
) -> None:
    opened.emulate_media(reduced_motion=motion)
    tile = opened.locator("a.film").first
    film = tile.locator("canvas")
    for begin, end in ((tile.hover, lambda: opened.mouse.move(0, 0)), (tile.focus, tile.blur)):
        begin()
        assert film.count() == (motion == "no-preference")
        if film.count():
            label = film.get_attribute("aria-label")
            opened.wait_for_function(
                "label => document.querySelector('a.film canvas').getAttribute('aria-label') !== label",
                arg=label,
            )
        end()
        assert film.count() == 0


def test_pictures_and_bars_stand_on_the_first_screen(opened: Page) -> None:
    opened.set_viewport_size({"width": 1280, "height": 800})
    top = "name => document.querySelector(name).getBoundingClientRect().top + scrollY"
    assert opened.evaluate(top, "img") < 200
    assert opened.evaluate(top, ".bars tbody") < 800


def test_on_a_phone_the_gallery_follows_the_sentence(opened: Page) -> None:
    opened.set_viewport_size({"width": 390, "height": 844})
    assert opened.evaluate("document.querySelector('header').nextElementSibling.id") == "gallery"
    stills = "[...document.querySelectorAll('.gallery img')]"
    bottoms = opened.evaluate(f"{stills}.map((image) => image.getBoundingClientRect().bottom)")
    assert sum(bottom <= 844 for bottom in bottoms) >= 3


def test_a_tile_opens_its_run_and_the_badge_explains_itself(opened: Page) -> None:
    opened.emulate_media(reduced_motion="reduce")
    tile = opened.locator("a.film").first
    run = tile.get_attribute("data-run")
    assert tile.get_attribute("title") == "Click to play"
    tile.click()
    assert run in (opened.locator("#run-panel-title").text_content() or "")
    assert opened.get_by_role("button", name="Play").last.is_visible()  # it stands still
    opened.keyboard.press("Escape")
    assert not opened.locator(".bearing ul").is_visible()
    opened.locator(".bearing summary").click()
    assert opened.locator(".bearing ul").is_visible()


def test_the_run_that_collapsed_on_the_way_opens_from_the_first_screen(opened: Page) -> None:
    link = opened.locator("p.first a[data-run]")
    link.click()
    assert link.get_attribute("data-run") in (opened.locator("#run-panel-title").text_content() or "")


def test_a_link_to_a_folded_question_opens_it(opened: Page) -> None:
    key = opened.locator("details.block:not([open])").first.get_attribute("id")
    opened.evaluate("key => { location.hash = key; }", key)
    opened.wait_for_function("key => document.getElementById(key).open", arg=key)


TEXTS = """() => {
    const channels = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
    const ground = (element) => {
        for (let one = element; one; one = one.parentElement) {
            const [red, green, blue, alpha = 1] = channels(getComputedStyle(one).backgroundColor);
            if (alpha === 1) return [red, green, blue];
        }
        return [255, 255, 255];
    };
    const luminance = (colour) => {
        const [red, green, blue] = colour.map((value) => value / 255)
            .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const texts = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode, element = node.parentElement;
        if (!node.data.trim() || !element.checkVisibility({ checkVisibilityCSS: true })) continue;
        if (element.closest("script, style, noscript")) continue;
        const style = getComputedStyle(element), svg = element.closest("svg.figure, svg.curve");
        const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
        const colour = channels(element.closest("svg") ? style.fill : style.color).slice(0, 3);
        const [low, high] = [luminance(colour), luminance(ground(element))].sort((a, b) => a - b);
        texts.push({
            text: node.data.trim().slice(0, 30),
            size: parseFloat(style.fontSize) * scale,
            contrast: (high + 0.05) / (low + 0.05),
        });
    }
    return texts;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_all_text_is_large_and_dark_enough_to_be_read(
    opened: Page, width: int, scheme: Literal["light", "dark"]
) -> None:
    opened.set_viewport_size({"width": width, "height": 844})
    opened.emulate_media(color_scheme=scheme)
    opened.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    opened.locator("a.film").first.click()
    texts = opened.evaluate(TEXTS)
    assert len(texts) > 1000
    assert [text for text in texts if text["size"] < 11.99] == []
    assert [text for text in texts if text["contrast"] < 4.5] == []


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_itself_never_scrolls_sideways(opened: Page, width: int) -> None:
    opened.set_viewport_size({"width": width, "height": 800})
    assert opened.evaluate("document.documentElement.scrollWidth") <= width


def test_what_is_folded_is_not_printed_and_one_button_unfolds_it(opened: Page) -> None:
    opened.emulate_media(media="print")
    words, table = opened.locator(".meanings"), opened.locator(".block table").first
    assert not words.is_visible()
    assert (
        opened.locator("summary:visible").count()
        == opened.locator(":is(.bearing, .missing) > summary").count()
    )
    opened.emulate_media(media="screen")
    opened.get_by_role("button", name="Unfold all").click()
    opened.emulate_media(media="print")
    assert words.is_visible()
    assert table.is_visible()
    opened.emulate_media(media="screen")
    opened.get_by_role("button", name="Fold all").click()
    assert not words.is_visible()


def test_nothing_sticks_out_of_a_printed_page(opened: Page) -> None:
    opened.emulate_media(media="print")
    opened.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
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


def saved(tab: Page, place: str, what: str, kind: str) -> str:
    """The address of the file that a menu of the page saves."""
    tab.evaluate(
        "HTMLAnchorElement.prototype.click = function () { window.saved = [this.download, this.href]; }"
    )
    menu = tab.locator(f"{place} .save", has_text=f"Save {what}").first
    menu.evaluate("menu => { menu.open = true; }")
    menu.get_by_role("button", name=kind).click()
    tab.wait_for_function("window.saved")
    name, address = tab.evaluate("window.saved")
    tab.evaluate("window.saved = null")
    assert name.startswith("synthetic-")
    return str(address)


def test_menus_save_tables_as_the_command_writes_them(opened: Page, page: Path) -> None:
    for kind, suffix in (("CSV", "csv"), ("Markdown", "md"), ("LaTeX", "tex")):
        for place, name in enumerate(("ends-by-loss", "shares-by-loss", "events-by-loss"), start=1):
            address = saved(opened, "#shares-by-loss", f"table {place}", kind)
            text = unquote(address.partition(",")[2])
            assert text == (page.parent / "tables" / f"{name}.{suffix}").read_text(encoding="utf-8")


def test_menus_save_figures_that_stand_alone(opened: Page) -> None:
    opened.emulate_media(color_scheme="dark")
    for place, what in (("#shares-by-loss", "figure"), ("#table", "figure"), ("#side-by-side", "curves")):
        svg = unquote(saved(opened, place, what, "SVG").partition(",")[2])
        root = ElementTree.fromstring(svg)
        assert root.tag.endswith("}svg")
        assert float(root.get("width") or 0) > 100
        assert "var(--" not in svg
        assert "rgb(22, 32, 43)" in svg  # the light theme's ink, on white
        assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) > 8
    picture = base64.b64decode(saved(opened, "#shares-by-loss", "figure", "PNG").partition(",")[2])
    with Image.open(io.BytesIO(picture)) as image:
        assert image.width > 1000
        assert image.convert("RGB").getpixel((2, 2)) == (255, 255, 255)
    opened.evaluate("window.print = () => { window.alone = document.documentElement.className; }")
    menu = opened.locator("#shares-by-loss .save").first
    menu.get_by_role("button", name="PDF").click()
    opened.wait_for_function("window.alone === 'prints-alone'")
    opened.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert opened.locator("#print-alone").count() == 0

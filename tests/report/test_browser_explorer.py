"""The explorer in a real browser: parallel coordinates, and the panel of one run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))

import pytest
from browsing import CHROMIUM, NO_CHROMIUM, column, launched, silent_tab

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched(playwright) as browser:
        yield browser


@pytest.fixture
def opened(browser: Browser, page: Path) -> Iterator[Page]:
    with silent_tab(browser, page) as tab:
        yield tab


@pytest.fixture
def drawn(opened: Page) -> Page:
    """The page with its parallel coordinates, which are drawn when they come near."""
    opened.locator("#parallel").scroll_into_view_if_needed()
    opened.wait_for_selector("#parallel .js-line")
    return opened


def axis(tab: Page, name: str) -> tuple[float, float, float]:
    """Where an axis of the parallel coordinates stands: its x, and the y of its top and its foot."""
    titles = tab.locator("#parallel .annotation-text").all_text_contents()
    box = tab.locator("#parallel .annotation-text").nth(titles.index(name)).bounding_box()
    area = tab.locator("#parallel").bounding_box()
    assert box
    assert area
    return box["x"] + box["width"] / 2, area["y"] + 50, area["y"] + area["height"] - 50


def drag(tab: Page, name: str, start: float, end: float) -> None:
    """Drag along an axis, from and to shares of its length from the top."""
    x, top, foot = axis(tab, name)
    tab.mouse.move(x, top + start * (foot - top))
    tab.mouse.down()
    tab.mouse.move(x, top + end * (foot - top), steps=5)
    tab.mouse.up()


def test_every_run_is_a_line_through_all_axes(drawn: Page) -> None:
    lines = drawn.evaluate(
        """() => document.getElementById("parallel").data.slice(1).map((trace) =>
            [trace.name, trace.x.filter((x) => x === 0).length, Math.max(...trace.x)])"""
    )
    assert {name for name, _, _ in lines} == set(column(drawn, "outcome"))
    assert sum(count for _, count, _ in lines) == 48
    titles = drawn.locator("#parallel .annotation-text").all_text_contents()
    for name in (
        "loss",
        "architecture",
        "batchnorm",
        "lr (log)",
        "lr ratio (log)",
        "beta1",
        "fid excess",
    ):
        assert name in titles
    assert {last for _, _, last in lines} == {7}  # seven axes and the outcome
    assert drawn.locator("#parallel path.js-line").count() >= 48


def test_a_brush_filters_the_table_and_the_table_s_filter_dims_lines(drawn: Page) -> None:
    drag(drawn, "lr ratio (log)", 0, 0.4)
    ratios = [float(text) for text in column(drawn, "lr ratio")]
    assert 0 < len(ratios) < 48
    everyone = [float(text) for text in column_after_clear(drawn, "lr ratio")]
    assert min(ratios) > sorted(everyone)[(48 - len(ratios)) // 2]
    drawn.locator("#outcome").select_option("stable")
    n_success = len(column(drawn, "run"))
    drawn.wait_for_function(
        """n => {
            const [dim, ...others] = document.getElementById("parallel").data;
            const count = (trace) => trace.x.filter((x) => x === 0).length;
            return others.length === 1 && count(others[0]) === n && count(dim) === 48 - n;
        }""",
        arg=n_success,
    )


def column_after_clear(tab: Page, name: str) -> list[str]:
    tab.locator("#clear-filters").click()
    return column(tab, name)


def test_a_brush_on_levels_takes_the_levels_it_covers(drawn: Page) -> None:
    drag(drawn, "loss", 0, 0.2)
    assert set(column(drawn, "loss")) == {"minimax"}
    drawn.locator(".brushes summary").click()
    boxes = drawn.locator("#brush-fields fieldset", has_text="minimax").get_by_role("checkbox")
    assert [boxes.nth(place).is_checked() for place in range(3)] == [True, False, False]
    boxes.nth(2).check()
    assert set(column(drawn, "loss")) == {"minimax", "hinge"}


def test_fields_do_what_a_brush_does(drawn: Page) -> None:
    drawn.locator(".brushes summary").click()
    drawn.get_by_label("beta1 from").fill("0.5")
    drawn.get_by_label("beta1 from").press("Enter")
    values = [float(text) for text in column(drawn, "beta1")]
    assert values
    assert min(values) >= 0.5
    assert drawn.locator("#parallel .shapelayer path").count() == 8 + 1


def test_a_click_on_a_line_opens_its_run(drawn: Page) -> None:
    drawn.locator("#search").fill("p003-hinge-s1")
    drawn.wait_for_function(
        """() => document.getElementById('parallel').data.length === 2
            && document.querySelectorAll('#parallel .scatterlayer .trace').length === 2"""
    )
    left, top, bottom = drawn.evaluate(
        """() => {
            const line = document.querySelector("#parallel .scatterlayer .trace:last-child path");
            line.scrollIntoView({ block: "center", behavior: "instant" });
            const box = line.getBoundingClientRect();
            return [box.left, box.top, box.bottom];
        }"""
    )
    for share in range(41):  # the run's line meets its first axis at one of three levels
        drawn.mouse.move(left, top + share / 40 * (bottom - top))
        drawn.wait_for_timeout(80)  # Plotly looks for the nearest line at most every few frames
        drawn.mouse.down()
        drawn.mouse.up()
        if drawn.locator("#run-panel").is_visible():
            break
    assert "p003-hinge-s1" in (drawn.locator("#run-panel-title").text_content() or "")


def panel(tab: Page, run: str) -> Locator:
    tab.locator("#search").fill(run)
    tab.get_by_role("button", name=run, exact=True).click()
    tab.wait_for_selector("#run-panel .panel-curves .main-svg")
    return tab.locator("#run-panel")


def test_a_click_shows_a_run_s_curves_filmstrip_and_settings(opened: Page) -> None:
    shown = panel(opened, "p003-hinge-s1")
    assert shown.locator(".panel-curves .subplot").count() == 6
    assert shown.locator(".panel-curves path.js-line").count() >= 8
    titles = shown.locator(".annotation-text").all_text_contents()
    assert {"separation", "losses", "FID excess (log)"} <= set(titles)
    strip = shown.locator(".panel-strip img")
    assert strip.evaluate("image => image.complete && image.naturalWidth") == 6 * 28
    assert (strip.get_attribute("alt") or "").startswith("Filmstrip: 6 generated images in each of ")
    said = " ".join(shown.all_text_contents())
    for word in ("lr ratio", "seed", "best fid ratio", "planted as"):
        assert word in said


def test_equilibrium_lines_stand_where_the_loss_has_them(opened: Page) -> None:
    panel(opened, "p003-hinge-s1")
    heights = opened.evaluate(
        """() => document.querySelector(".panel-curves").layout.shapes
            .filter((shape) => shape.yref === "y2" && shape.line.dash === "dashdot")
            .map((shape) => shape.y0)"""
    )
    assert sorted(heights) == [0, 2]


def test_the_replay_command_is_copied(opened: Page) -> None:
    opened.evaluate(
        """() => {
            navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); };
        }"""
    )
    shown = panel(opened, "p003-hinge-s1")
    shown.get_by_role("button", name="Copy").click()
    shown.get_by_text("Copied.").wait_for()
    command = shown.locator("#replay-command").text_content() or ""
    assert opened.evaluate("window.copied") == command
    assert command.startswith("stability replay ")
    assert command.endswith(" p003-hinge-s1")


def test_without_a_clipboard_the_command_is_selected_and_copied_the_old_way(opened: Page) -> None:
    opened.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('none')); }")
    shown = panel(opened, "p003-hinge-s1")
    shown.get_by_role("button", name="Copy").click()
    shown.locator(".replay [role=status]", has_text="Ctrl").or_(shown.get_by_text("Copied.")).wait_for()
    assert opened.evaluate("getSelection().toString()") == shown.locator("#replay-command").text_content()


def test_the_keyboard_opens_a_run_and_comes_back(opened: Page) -> None:
    link = opened.get_by_role("button", name="p003-hinge-s1", exact=True)
    link.focus()
    opened.keyboard.press("Enter")
    shown = opened.locator("#run-panel")
    shown.wait_for()
    assert opened.evaluate("document.activeElement.id") == "run-panel-title"
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.id") == "run-panel-close"
    for _ in range(6):  # the page behind the panel cannot be reached
        opened.keyboard.press("Tab")
        assert opened.evaluate("document.activeElement.closest('#run-panel, body') !== null")
        assert not opened.evaluate("Boolean(document.activeElement.closest('main table'))")
    opened.keyboard.press("Escape")
    assert not shown.is_visible()
    assert opened.evaluate("document.activeElement.textContent") == "p003-hinge-s1"


def test_a_run_s_panel_fits_a_phone(browser: Browser, page: Path) -> None:
    with silent_tab(browser, page, viewport={"width": 390, "height": 800}) as tab:
        shown = panel(tab, "p003-hinge-s1")
        box = shown.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert shown.evaluate("panel => panel.scrollWidth <= panel.clientWidth")
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_lines_and_curves_follow_the_theme(drawn: Page) -> None:
    panel(drawn, "p003-hinge-s1")
    colours = """() => [
        document.querySelector("#parallel .annotation-text").style.fill,
        document.querySelector(".panel-curves path.js-line").style.stroke,
    ]"""
    light = drawn.evaluate(colours)
    drawn.emulate_media(color_scheme="dark")
    drawn.wait_for_function(
        f"light => ({colours})().every((colour, place) => colour !== light[place])", arg=light
    )

"""The explorer in a real browser: parallel coordinates, queries, and the panel of one run with its player."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from browsing import CHROMIUM, NO_CHROMIUM, column, launched, silent_tab

from stability.statistics.rates import rate

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


def drag(tab: Page, name: str, start: float, end: float) -> None:
    """Drag along an axis of the parallel coordinates, from and to shares of its length from the top."""
    tab.locator("#parallel").scroll_into_view_if_needed()
    place = tab.evaluate(
        """name => {
            const names = [...document.querySelectorAll("#parallel .name")].map((text) => text.textContent);
            const axis = document.querySelectorAll("#parallel .axis")[names.indexOf(name)];
            const box = axis.getBoundingClientRect();
            return [box.left, box.top, box.bottom];
        }""",
        name,
    )
    x, top, foot = place
    tab.mouse.move(x, top + start * (foot - top))
    tab.mouse.down()
    tab.mouse.move(x, top + end * (foot - top), steps=3)
    tab.mouse.up()


def paths(lines: Locator) -> list[str]:
    found: list[str] = lines.evaluate_all("all => all.map((line) => line.getAttribute('d'))")
    return found


def search(tab: Page, text: str) -> list[str]:
    """The runs that a text finds."""
    tab.locator("#search").fill(text)
    return column(tab, "run")


def test_every_run_is_a_line_through_all_axes(opened: Page) -> None:
    assert opened.locator("#parallel path.run").count() == 48
    names = opened.locator("#parallel .name").all_text_contents()
    wanted = ["loss", "architecture", "batchnorm", "lr (log)", "lr ratio (log)", "beta1", "fid excess"]
    assert names == [*wanted, "outcome"]
    lines = opened.locator("#parallel path.run").evaluate_all(
        "all => all.map((line) => line.getAttribute('d'))"
    )
    assert {line.count("L") for line in lines} == {7}  # seven axes and the outcome
    assert "NaN" not in "".join(lines)


def test_a_brush_is_a_condition_and_a_condition_dims_lines(opened: Page) -> None:
    drag(opened, "lr ratio (log)", 0, 0.4)
    low = float(opened.locator("#search").input_value().removeprefix("lr_ratio>="))
    ratios = [float(text) for text in column(opened, "lr ratio")]
    assert 0 < len(ratios) < 48
    assert min(ratios) >= low - 0.005
    opened.wait_for_function(
        "n => document.querySelectorAll('#parallel path.run').length === n", arg=len(ratios)
    )
    assert opened.locator("#parallel .kept").count() == 1
    drag(opened, "loss", 0, 0.2)
    assert opened.locator("#search").input_value().endswith(" loss=minimax")
    assert set(column(opened, "loss")) == {"minimax"}
    opened.locator("#clear-filters").click()
    assert len(column(opened, "run")) == 48


def test_conditions_take_numbers_and_levels_and_what_is_missing(opened: Page) -> None:
    assert 0 < len(search(opened, "lr<1e-3 loss=hinge,minimax beta1>=.5")) < 48
    assert all(float(text.replace("\u2212", "-")) < 1e-3 for text in column(opened, "lr"))
    assert set(column(opened, "loss")) == {"hinge", "minimax"}
    assert min(float(text) for text in column(opened, "beta1")) >= 0.5
    assert set(search(opened, "loss=hinge")) | set(search(opened, "loss!=hinge")) == set(search(opened, ""))
    diverged = search(opened, "divergence_step=412")
    assert search(opened, "outcome=diverged") == diverged
    assert search(opened, "divergence_step!=none") == diverged
    assert search(opened, "nothing>3") == []
    assert "nothing>3" in (opened.locator("#unread").text_content() or "")


def test_numbers_are_found_as_they_are_shown_and_as_they_are_typed(opened: Page) -> None:
    shown = column(opened, "lr")[0]
    first = column(opened, "run")[0]
    for typed in (
        shown,
        shown.replace("\u2212", "-"),
        f"lr={shown}",
        f"lr={shown.replace(chr(0x2212), '-')}",
    ):
        assert first in search(opened, typed)
    for typed in ("1,000", "1000", "step=1000", "step>=1,000"):
        assert len(search(opened, f"{typed} p000")) == 6 - len(search(opened, "p000 outcome=diverged"))


def test_filters_stand_in_the_address_and_come_back_from_it(opened: Page) -> None:
    found = search(opened, "lr<2e-3 hinge")
    opened.locator("#outcome").select_option("stable")
    kept = column(opened, "run")
    assert 0 < len(kept) < len(found)
    address = opened.evaluate("location.hash")
    opened.locator("#clear-filters").click()
    assert opened.evaluate("location.hash") == "#table"
    opened.evaluate("address => { location.hash = address; }", address)
    opened.wait_for_function("() => document.getElementById('search').value === 'lr<2e-3 hinge'")
    assert column(opened, "run") == kept


def test_shares_of_the_runs_found_have_the_intervals_of_the_page(opened: Page, page: Path) -> None:
    """What the script computes from points is what `stability.statistics.rates` gives."""
    rng = np.random.default_rng(5)
    for n_points in (2, 5, 9, 30):
        points = np.repeat(np.arange(n_points), rng.integers(1, 5, n_points))
        happened = rng.random(len(points)) < 0.4
        runs = pd.DataFrame({"point": points, "adaptive": False, "it": happened})
        row = rate(runs, "it").iloc[0]
        found = opened.evaluate(
            "([points, it]) => rates.rate(points.map((_, row) => row), points, (row) => it[row])",
            [points.tolist(), happened.tolist()],
        )
        expected = [row["estimate"], row["ci_low"], row["ci_high"]]
        assert [found["share"], found["low"], found["high"]] == pytest.approx(expected, abs=1e-12)
    search(opened, "outcome=stable,saturated")
    told = opened.locator("#shares-shown li").all_text_contents()
    assert all(re.search(r"\d+% \(\d+ to \d+%\) \d+$", text) for text in told)
    assert len(told) == 3
    assert told[0].startswith("success ")


FILM = "#run-panel .film-large > canvas"


def panel(tab: Page, run: str) -> Locator:
    search(tab, run)
    tab.get_by_role("button", name=run, exact=True).last.click()
    return tab.locator("#run-panel")


def shown_by(tab: Page, canvas: str) -> str:
    """What a canvas shows, as a picture's address."""
    return str(tab.locator(canvas).first.evaluate("canvas => canvas.toDataURL()"))


def test_a_click_on_a_line_opens_its_run(opened: Page) -> None:
    search(opened, "p003-hinge-s1")
    opened.wait_for_function("document.querySelectorAll('#parallel path.run').length === 1")
    opened.locator("#parallel path.run").scroll_into_view_if_needed()
    place = opened.locator("#parallel path.run").evaluate(
        """line => {
            const point = line.getPointAtLength(line.getTotalLength() / 3);
            const box = line.ownerSVGElement.getBoundingClientRect();
            return [box.left + point.x, box.top + point.y];
        }"""
    )
    opened.mouse.click(*place)
    assert "p003-hinge-s1" in (opened.locator("#run-panel-title").text_content() or "")


def test_a_click_shows_a_run_s_film_curves_and_settings(opened: Page) -> None:
    shown = panel(opened, "p003-hinge-s1")
    assert shown.locator(".curve").count() == 6
    assert shown.locator(".curve path").count() == 8 + 1  # separation, three pairs, modes and FID excess
    assert "NaN" not in "".join(paths(shown.locator(".curve path")))
    assert {"separation", "losses", "FID excess (log)"} <= set(shown.locator(".title").all_text_contents())
    canvas = shown.locator(".film-large > canvas")
    assert canvas.evaluate("canvas => [canvas.width, canvas.height]") == [2 * 28, 4 * 28]
    assert (canvas.get_attribute("aria-label") or "").startswith("8 generated images at step ")
    assert canvas.evaluate("canvas => getComputedStyle(canvas).imageRendering") == "pixelated"
    said = " ".join(shown.all_text_contents())
    for word in ("lr ratio", "seed", "best fid ratio", "planted as"):
        assert word in said


def test_equilibrium_lines_stand_where_the_loss_has_them(opened: Page) -> None:
    shown = panel(opened, "p003-hinge-s1")
    losses = shown.locator(".curve", has=opened.locator(".title", has_text="losses"))
    heights = """all => all.map((one) =>
        [one.textContent, Number(one.getAttribute("y") ?? one.getAttribute("y1"))])"""
    ticks = dict(losses.locator(".tick[text-anchor=end]").evaluate_all(heights))
    levels = [height for _, height in losses.locator(".level").evaluate_all(heights)]
    assert levels == pytest.approx([ticks["2"] - 4, ticks["0"] - 4], abs=0.01)


def a_stable_run(tab: Page) -> str:
    return search(tab, "outcome=stable")[0]


def test_a_film_plays_stops_and_turns_with_a_cursor_in_the_curves(opened: Page) -> None:
    shown = panel(opened, a_stable_run(opened))
    slider, cursor = shown.get_by_role("slider"), shown.locator(".curve .cursor").first
    said = shown.locator("output")
    shown.get_by_role("button", name="Pause").click()  # it plays where motion is wanted
    slider.press("End")
    last, at_last = shown_by(opened, FILM), cursor.get_attribute("x1")
    assert said.text_content() == "step 1,000"
    slider.press("Home")
    assert said.text_content() == "step 100"
    assert shown_by(opened, FILM) != last
    assert float(cursor.get_attribute("x1") or 0) < float(at_last or 0)
    slider.press("ArrowRight")
    assert said.text_content() != "step 100"
    slider.press(" ")
    assert shown.get_by_role("button", name="Pause").is_visible()
    opened.wait_for_function("() => document.querySelector('#run-panel output').textContent === 'step 1,000'")
    shown.get_by_role("button", name="Play").wait_for()
    shown.locator(".curve").first.click(position={"x": 120, "y": 60})
    assert said.text_content() not in ("step 1,000", "step 100")


def test_two_runs_play_side_by_side_on_one_slider(opened: Page) -> None:
    shown = panel(opened, "p003-hinge-s1")
    other = shown.locator(".choice option").nth(1).get_attribute("value") or ""
    shown.locator(".choice select").select_option(other)
    assert shown.locator(".side").count() == 2
    assert other in (shown.locator(".side").nth(1).text_content() or "")
    shown.get_by_role("slider").press("Home")
    places = shown.locator(".curve .cursor").evaluate_all("all => all.map((line) => line.getAttribute('x1'))")
    assert len(places) == 12
    assert len(set(places)) == 1


def test_the_page_shows_two_typical_runs_beside_each_other(opened: Page) -> None:
    place = opened.locator("#side-by-side")
    assert place.locator(".side").count() == 2
    assert "stable" in (place.locator(".side").first.text_content() or "")
    assert "collapse" in (place.locator(".side").nth(1).text_content() or "")
    place.locator(".side .run-link").nth(1).click()
    assert "collapse" in (opened.locator("#run-panel-title").text_content() or "")


def test_previous_and_next_go_through_the_runs_that_pass_the_filters(opened: Page) -> None:
    runs = search(opened, "p003 hinge")
    assert len(runs) == 2
    opened.get_by_role("button", name=runs[0], exact=True).last.click()
    title = opened.locator("#run-panel-title")
    assert opened.locator("#run-before").is_disabled()
    opened.keyboard.press("n")
    assert runs[1] in (title.text_content() or "")
    assert opened.locator("#run-after").is_disabled()
    opened.locator("#run-before").click()
    assert runs[0] in (title.text_content() or "")
    opened.keyboard.press("Escape")
    assert not opened.locator("#run-panel").is_visible()


def test_the_replay_command_is_copied(opened: Page) -> None:
    opened.evaluate(
        """() => {
            navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); };
        }"""
    )
    shown = panel(opened, "p003-hinge-s1")
    shown.get_by_role("button", name="Copy").click()
    shown.get_by_text("Copied.").wait_for()
    command = shown.locator(".replay code").text_content() or ""
    assert opened.evaluate("window.copied") == command
    assert command.startswith("stability replay ")
    assert command.endswith(" p003-hinge-s1")


def test_without_a_clipboard_the_command_is_selected_and_copied_the_old_way(opened: Page) -> None:
    opened.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('none')); }")
    shown = panel(opened, "p003-hinge-s1")
    shown.get_by_role("button", name="Copy").click()
    shown.locator(".replay [role=status]", has_text="Ctrl").or_(shown.get_by_text("Copied.")).wait_for()


def test_a_run_without_pictures_says_how_to_make_them_and_a_filter_leaves_it_out(
    browser: Browser, page: Path, tmp_path: Path
) -> None:
    text = page.read_text()
    run = "p003-hinge-s1"
    without = re.sub(rf'("{run}":\{{"curves".*?"film":)\{{[^}}]*\}}', r"\1null", text, count=1)
    assert without != text
    bare = tmp_path / "bare.html"
    bare.write_text(without)
    with silent_tab(browser, bare) as tab:
        tab.locator("#pictures").check()
        assert len(column(tab, "run")) == 47
        tab.locator("#pictures").uncheck()
        shown = panel(tab, run)
        assert shown.get_by_text("No filmstrip was kept of this run.").is_visible()
        command = shown.locator(".replay code").first.text_content() or ""
        assert command.startswith("stability show ")
        assert command.endswith(f" {run}")
        assert shown.locator(".curve").count() == 6


def test_the_keyboard_opens_a_run_and_comes_back(opened: Page) -> None:
    link = opened.get_by_role("button", name="p003-hinge-s1", exact=True).last
    link.focus()
    opened.keyboard.press("Enter")
    shown = opened.locator("#run-panel")
    assert opened.evaluate("document.activeElement.type") == "range"
    for _ in range(8):  # the page behind the panel cannot be reached
        opened.keyboard.press("Tab")
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


def test_the_map_of_runs_stands_over_any_two_columns(opened: Page) -> None:
    block = opened.locator("#map-of-runs")
    block.evaluate("block => { block.open = true; }")
    assert block.locator("svg.figure").count() == 1
    block.get_by_label("Across").select_option("lr")
    block.get_by_label("Up").select_option("fid_excess")
    block.get_by_label("Panels by").select_option("nothing")
    assert block.locator("svg.figure").count() == 0
    markers = block.locator("svg.scatter path")
    assert markers.count() == 48
    assert "NaN" not in "".join(
        markers.evaluate_all("all => all.map((one) => one.getAttribute('transform'))")
    )
    run, _, _ = (markers.first.locator("title").text_content() or "").partition(":")
    markers.first.dispatch_event("click")
    assert run in (opened.locator("#run-panel-title").text_content() or "")

"""The page of a sheet, as text and in the system's Chromium."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import CHROMIUM, NO_CHROMIUM, launched, new_tab, silent_tab
from PIL import Image

from stability.page_kit.embed import content_policy
from stability.page_kit.pictures import encode_picture
from stability.questions.agreement.marks import LABELS, QUALITIES, read_marks
from stability.report.sheet.page import KEYS, QUALITY_KEYS, PageItem, render_sheet

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CODES = ("A001", "A002", "A003")


def rendered(shade: str = "#444444") -> str:
    picture = encode_picture(Image.new("RGB", (40, 20), shade))
    return render_sheet([PageItem(code, picture) for code in CODES])


def test_every_label_has_a_key_of_its_own() -> None:
    assert len(LABELS) <= len(set(KEYS)) == 10
    assert len(QUALITIES) == len(set(QUALITY_KEYS))
    assert not set("npu") & set(QUALITY_KEYS)


def test_only_its_own_script_may_run() -> None:
    page = rendered()
    script = page.rpartition("<script>")[2].partition("</script>")[0]
    policy = content_policy(script).replace("'", "&#39;")
    assert f'content="{policy}"' in page


def test_marks_of_another_sheet_are_not_taken_for_its_own() -> None:
    names = {page.partition('"sheet":"')[2][:16] for page in (rendered(), rendered(), rendered("#555555"))}
    assert len(names) == 2


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with launched(playwright) as browser:
        yield browser


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    (tmp_path / "sheet.html").write_text(rendered())
    with silent_tab(browser, tmp_path / "sheet.html") as tab:
        yield tab


def saved(tab: Page) -> str:
    with tab.expect_download() as download:
        tab.get_by_text("save marks").click()
    assert download.value.suggested_filename == "marks.csv"
    return Path(download.value.path()).read_text()


def shown(tab: Page) -> str:
    """The code in large print, which must be that of the one picture in view."""
    code = tab.locator("#code").inner_text()
    assert [image.get_attribute("id") for image in tab.locator("img.item:visible").all()] == [f"item-{code}"]
    return code


in_browser = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)


@pytest.mark.slow
@in_browser
def test_marks_by_keys_are_saved_and_read_back(opened: Page, tmp_path: Path) -> None:
    opened.keyboard.press("1")
    opened.keyboard.press("Shift+Digit3")
    opened.keyboard.press("e")
    opened.locator("[name=comment]").fill('streaks, "ghosts"\n1n')
    assert shown(opened) == "A001"
    opened.locator("#code").click()
    opened.locator("[name=comment]").blur()
    opened.keyboard.press("n")
    opened.keyboard.press(str(len(LABELS) % 10))
    opened.keyboard.press("n")
    assert shown(opened) == "A003"
    opened.keyboard.press("n")
    assert shown(opened) == "A001"
    assert opened.locator("#progress").inner_text() == "item 1 of 3, 2 labelled"
    text = saved(opened)
    (tmp_path / "marks.csv").write_text(text)
    marks = read_marks(tmp_path / "marks.csv", CODES)
    assert marks.loc["A001"].tolist() == [LABELS[0], LABELS[2], "mostly", 'streaks, "ghosts"\n1n']
    assert marks.loc["A002"].tolist() == [LABELS[-1], "", "", ""]
    assert [row["code"] for row in csv.DictReader(io.StringIO(text, newline=""))] == list(CODES)


@pytest.mark.slow
@in_browser
def test_marks_are_there_after_closing(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "sheet.html"
    path.write_text(rendered())
    tab = new_tab(browser)
    tab.goto(path.as_uri())
    tab.keyboard.press("p")
    assert shown(tab) == "A003"
    tab.get_by_label(LABELS[1]).first.check()
    tab.reload()
    assert tab.locator("#progress").inner_text() == "item 1 of 3, 1 labelled"
    assert f"A003,{LABELS[1]},,,\n" in saved(tab)
    tab.locator("#jump").select_option("A003")
    tab.get_by_text("clear this item").click()
    tab.reload()
    assert f"A003,{LABELS[1]}" not in saved(tab)
    tab.close()


@pytest.mark.slow
@in_browser
def test_a_browser_without_storage_says_so(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "sheet.html").write_text(rendered())
    tab = new_tab(browser)
    tab.add_init_script(
        "delete Window.prototype.localStorage; Object.defineProperty(window, 'localStorage', "
        "{ get() { throw new DOMException('no', 'SecurityError'); } });"
    )
    tab.goto((tmp_path / "sheet.html").as_uri())
    assert tab.locator("#forgetful").is_visible()
    tab.keyboard.press("2")
    assert f"A001,{LABELS[1]},,,\n" in saved(tab)
    tab.close()

"""The system's Chromium, and a tab that must stay silent and ask for nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
PATIENCE = 600_000
"""Milliseconds for anything a page is waited for."""
NO_CHROMIUM = "no Chromium on this system: apt-get install chromium"


@contextmanager
def launched(playwright: Any) -> Iterator[Browser]:
    """A headless browser."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def new_tab(browser: Browser, **options: Any) -> Page:
    """An empty tab that waits as long as a busy machine takes."""
    tab = browser.new_page(**options)
    tab.set_default_timeout(PATIENCE)
    return tab


@contextmanager
def silent_tab(browser: Browser, page: Path, **options: Any) -> Iterator[Page]:
    """The page in a tab; afterwards it must have said nothing and have asked for nothing."""
    tab = new_tab(browser, **options)
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
            return [...table.tBodies[0].rows].map((row) => row.cells[column].textContent.trim());
        }""",
        name,
    )
    return texts

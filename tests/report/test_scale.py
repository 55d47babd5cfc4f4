"""Many runs, ten thousand in full: the report stays small, its page usable."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import CHROMIUM, NO_CHROMIUM, launched, silent_tab
from many_runs import make_many

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

N_RUNS = {"small": 1_000, "full": 10_000}
SEARCHED = {"small": "s0", "full": "hinge s0"}
"""What more than a page of the stable runs answers to."""
MOST_MEMORY = {"small": 1.1e9, "full": 2e9}
"""Bytes; what 1,000 runs take was measured to be .86e9, nearly all of it the libraries."""


MEASURED = """
import re, resource, sys
from pathlib import Path
from stability.cli.app import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
status = Path("/proc/self/status")
# its own peak: ru_maxrss would also hold that of the process which started this one
if status.exists():
    peak = 1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1])
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak)
"""
"""Runs the command line and says how many bytes of memory it took."""


@dataclass(frozen=True, slots=True)
class Written:
    """A page and what it took to write it."""

    size: str
    page: Path
    peak_bytes: int


@pytest.fixture(scope="module", params=["small", pytest.param("full", marks=pytest.mark.full)])
def written(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Written:
    folder, n_runs = tmp_path_factory.mktemp("many"), N_RUNS[request.param]
    assert len(make_many(folder / "results", n_runs, seed=0).plan.runs) == n_runs
    page = folder / "page.html"
    arguments = ["report", str(folder / "results"), "--out", str(page)]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *arguments],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    return Written(request.param, page, int(done.stdout.splitlines()[-1]))


def test_the_report_of_many_runs_takes_bounded_memory(written: Written) -> None:
    assert written.peak_bytes < MOST_MEMORY[written.size]
    assert written.page.stat().st_size < 20e6


@pytest.fixture(scope="module")
def tab(written: Written) -> Iterator[Page]:
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    with launched(playwright) as browser, silent_tab(browser, written.page) as tab:
        tab.wait_for_selector("#parallel path.run", state="attached")
        yield tab


ACTIONS = (
    """[...document.querySelectorAll("#all-runs thead button")]
        .find((button) => button.textContent === "fid excess").click();""",
    """const field = document.getElementById("search");
        field.value = SEARCHED; field.dispatchEvent(new Event("input"));""",
    """const list = document.getElementById("outcome");
        list.value = "stable"; list.dispatchEvent(new Event("change"));""",
    """document.getElementById("page-next").click();""",
    """document.querySelector("#all-runs .run-link").click();""",
)


DRAWN = "async () => { for (let count = 0; count < 3; count += 1) await new Promise(requestAnimationFrame); }"


def test_the_page_of_many_runs_sorts_searches_filters_turns_and_opens_one(
    tab: Page, written: Written
) -> None:
    assert f"of {N_RUNS[written.size]:,} runs" in (tab.locator("#shown").text_content() or "")
    for act in ACTIONS:
        assert tab.locator("#all-runs tbody tr").count() <= 50
        tab.evaluate(f"() => {{ const SEARCHED = '{SEARCHED[written.size]}'; {act} }}")
        tab.evaluate(DRAWN)
    assert tab.locator("#run-panel").is_visible()
    assert tab.locator("#page-number").text_content().startswith("page 2 of ")
    rows = tab.locator("#all-runs tbody tr").all_text_contents()
    assert rows
    assert all("stable" in row for row in rows)
    assert all(word in row for row in rows for word in SEARCHED[written.size].split())
    sorted_header = tab.locator("#all-runs th[aria-sort=ascending]").text_content()
    assert sorted_header == "fid excess"


def test_the_page_of_many_runs_prints_on_few_sheets(tab: Page) -> None:
    assert 5 < len(re.findall(rb"/Type\s*/Page\b", tab.pdf(format="A4"))) <= 20

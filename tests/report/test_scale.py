"""Ten thousand runs: the report stays fast and small, its page usable."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))

import pytest
from browsing import CHROMIUM, NO_CHROMIUM, launched, silent_tab
from many_runs import make_many

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

N_RUNS = 10_000


MEASURED = """
import json, re, resource, sys
from pathlib import Path
from stability.cli.app import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
used = resource.getrusage(resource.RUSAGE_SELF)
status = Path("/proc/self/status")
# its own peak: ru_maxrss would also hold that of the process which started this one
if status.exists():
    peak = 1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1])
else:
    peak = used.ru_maxrss
print(json.dumps({"seconds": used.ru_utime + used.ru_stime, "peak_bytes": peak}))
"""
"""Runs the command line and says what it took."""


@dataclass(frozen=True, slots=True)
class Written:
    """A page and what it took to write it."""

    page: Path
    seconds: float
    """Of one processor: other work on the machine does not count."""
    peak_bytes: int


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("many")
    assert len(make_many(folder / "results", N_RUNS, seed=0).plan.runs) == N_RUNS
    page = folder / "page.html"
    arguments = ["report", str(folder / "results"), "--out", str(page)]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *arguments],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    used = json.loads(done.stdout.splitlines()[-1])
    return Written(page, used["seconds"], used["peak_bytes"])


def test_the_report_of_ten_thousand_runs_takes_a_minute_and_two_gigabytes(written: Written) -> None:
    assert written.seconds < 60
    assert written.peak_bytes < 2e9
    assert written.page.stat().st_size < 20e6


@pytest.fixture(scope="module")
def tab(written: Written) -> Iterator[Page]:
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    with launched(playwright) as browser, silent_tab(browser, written.page) as tab:
        tab.locator("#parallel").scroll_into_view_if_needed()
        tab.wait_for_selector("#parallel .js-line")
        yield tab


def seconds(tab: Page, act: str) -> float:
    """How long an action takes until the page has drawn what it did, its lines included."""
    taken: float = tab.evaluate(
        f"""async () => {{
            const frame = () => new Promise(requestAnimationFrame);
            await frame();
            const start = performance.now();
            {act}
            for (let count = 0; count < 3; count += 1) await frame();
            return (performance.now() - start) / 1000;
        }}"""
    )
    return taken


ACTIONS = {
    "sort": """[...document.querySelectorAll("#all-runs thead button")]
        .find((button) => button.textContent === "fid excess").click();""",
    "search": """const field = document.getElementById("search");
        field.value = "hinge s0"; field.dispatchEvent(new Event("input"));""",
    "filter": """const list = document.getElementById("outcome");
        list.value = "stable"; list.dispatchEvent(new Event("change"));""",
    "turn the page": """document.getElementById("page-next").click();""",
    "open a run": """document.querySelector("#all-runs .run-link").click();""",
}


@pytest.mark.parametrize("action", list(ACTIONS))
def test_every_action_on_ten_thousand_runs_answers_within_a_second(tab: Page, action: str) -> None:
    assert "of 10,000 runs" in (tab.locator("#shown").text_content() or "")
    assert tab.locator("#all-runs tbody tr").count() <= 50
    assert seconds(tab, ACTIONS[action]) < 1


def test_all_actions_had_their_effect(tab: Page) -> None:
    """After the actions above: sorted, searched, filtered, turned and one run open."""
    assert tab.locator("#run-panel").is_visible()
    assert tab.locator("#page-number").text_content().startswith("page 2 of ")
    rows = tab.locator("#all-runs tbody tr").all_text_contents()
    assert rows
    assert all("hinge" in row and "stable" in row for row in rows)
    sorted_header = tab.locator("#all-runs th[aria-sort=ascending]").text_content()
    assert sorted_header == "fid excess"

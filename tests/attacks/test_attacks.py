"""HTML, paths and YAML planted in every text of a study: refused, or inert in a real browser."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "report"))

from browsing import CHROMIUM, NO_CHROMIUM, launched, new_tab
from tampering import (
    ATTACKS,
    CSS,
    HTML,
    PATHS,
    SPOOFS,
    TEMPLATES,
    make_folder,
    readable,
    rewrite_plan,
    rewrite_study,
    tamper,
    text_columns,
)

from stability.errors import StabilityError
from stability.report.write import write
from stability.spec import parse_study
from stability.store import Store

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

REFUSED_COLUMNS = {("runs", "outcome"), ("events", "kind")}
TEXTS = [
    (table, column)
    for table in ("runs", "events", "records", "evaluations")
    for column in text_columns(table)
    if (table, column) not in REFUSED_COLUMNS
]
FREE = {"reason", "divergence_tensor", "first_bad_tensor", "host", "processor"}
"""Texts of a runs table that the plan does not give."""
PLANNED = [text for text in TEXTS if text[0] == "runs" and text[1] not in FREE]
COLUMNS = [text for text in TEXTS if text not in PLANNED]
SHOWN_COLUMNS = {("runs", "reason"), ("runs", "divergence_tensor"), ("events", "evidence")}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip(NO_CHROMIUM)
    with launched(playwright) as browser:
        yield browser


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def report(folder: Path) -> Path:
    """The page; nothing else may have been written anywhere near."""
    top = folder.parents[1]
    before = files_below(top)
    page = write([folder], "html", top / "reports" / "page.html")
    assert files_below(top) - before == {"reports", "reports/page.html"}
    return page


def shown_text(browser: Browser, page: Path) -> str:
    """All text of the page, once it is clear that it did and asked nothing, however it is used."""
    tab = new_tab(browser)
    asked: list[str] = []
    dialogs: list[str] = []
    said: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    tab.goto(page.as_uri())
    use(tab)
    assert tab.evaluate("window.__pwned") is None
    assert tab.evaluate(PLANTED) == []
    assert tab.evaluate("getComputedStyle(document.body).display") != "none"
    assert tab.url.split("#")[0] == page.as_uri()
    assert (dialogs, said) == ([], [])
    local = (page.as_uri(), "data:", "blob:", "about:")
    assert [url for url in asked if not url.startswith(local)] == []
    text: str = tab.evaluate("document.body.textContent + ' ' + document.title")
    tab.close()
    return text


PLANTED = """() => [...document.querySelectorAll(
    "[data-pwned], iframe, object, embed, base, link:not([rel=icon]), [srcdoc], [onerror], [onload], "
    + "[onclick], a[href^='javascript:' i], a[href*='pwned.example'], img[src*='pwned'], "
    + "meta[http-equiv=refresh i], form[action]"
)].map((element) => element.outerHTML.slice(0, 200))"""


def use(tab: Page) -> None:
    """Open what opens, scroll to the end, hover and search."""
    tab.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    tab.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    search = tab.locator("input[type=search]")
    if search.count():
        search.first.fill(HTML[0])
        search.first.fill("")
    for button in tab.locator("#all-runs th button").all()[:4]:
        button.click()
    tab.wait_for_timeout(300)


TOGETHER = {
    "runs": [text for text in COLUMNS if text[0] == "runs"],
    "names of runs": [text for text in COLUMNS if text[1] == "run"],
    "others": [text for text in COLUMNS if text[0] != "runs" and text[1] != "run"],
}
ALONE = [pytest.param([text], marks=pytest.mark.full, id="-".join(text)) for text in COLUMNS]


@pytest.mark.parametrize(
    "texts", [*(pytest.param(texts, id=name) for name, texts in TOGETHER.items()), *ALONE]
)
def test_tampered_texts_are_inert(texts: list[tuple[str, str]], tmp_path: Path, browser: Browser) -> None:
    folder = make_folder(tmp_path)
    for table, column in texts:
        tamper(folder, table, column, ATTACKS if table == "runs" else (*HTML, *TEMPLATES))
    text = shown_text(browser, report(folder))
    if SHOWN_COLUMNS.intersection(texts):
        assert any(attack in text for attack in ATTACKS)


def test_attacks_are_shown_as_they_were_written(tmp_path: Path, browser: Browser) -> None:
    """A run's reason is shown in full, so every attack of HTML and of templates must be found as text."""
    found = set()
    for turn in range(0, len((*HTML, *TEMPLATES)), 12):
        folder = make_folder(tmp_path / str(turn))
        attacks = (*HTML, *TEMPLATES)[turn : turn + 12]
        tamper(folder, "runs", "reason", attacks)
        text = shown_text(browser, report(folder))
        found |= {attack for attack in attacks if attack in text}
    assert found == {*HTML, *TEMPLATES}


@pytest.mark.parametrize(("table", "column"), sorted(REFUSED_COLUMNS))
def test_a_word_that_there_is_none_of_is_refused(table: str, column: str, tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    tamper(folder, table, column, ATTACKS)
    with pytest.raises(StabilityError, match=f"{table}.parquet: damaged, its {column} holds") as caught:
        report(folder)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("table", "column"),
    [
        pytest.param(*text, marks=() if place % 3 == 0 else pytest.mark.full)
        for place, text in enumerate(PLANNED)
    ],
)
def test_runs_other_than_planned_are_refused(table: str, column: str, tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    tamper(folder, table, column, ATTACKS, nulls=True)
    with pytest.raises(StabilityError, match="planned") as caught:
        report(folder)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("kind", [HTML[:3], TEMPLATES, CSS], ids=["HTML", "templates", "CSS"])
def test_a_data_sets_folder_may_have_any_name_and_is_inert(
    kind: tuple[str, ...], tmp_path: Path, browser: Browser
) -> None:
    folder, name = make_folder(tmp_path), "/".join(kind)
    quoted = "'" + f"folder:/x/{name}".replace("'", "''") + "'"
    rewrite_study(folder, "name: made", f"name: made\ndataset: {quoted}")
    assert name in Store.open(folder).study_yaml.replace("''", "'")
    shown_text(browser, report(folder))


@pytest.mark.parametrize(
    "attack", [attack for attack in ATTACKS if attack != "CON"], ids=lambda a: ascii(a[:40])
)
def test_names_that_become_files_are_refused(attack: str, tmp_path: Path) -> None:
    """The study's own name, a run's and a cohort's, and an architecture that is code."""
    for field in ("name", "dataset", "fixed: {architecture", "fixed: {loss"):
        quoted = "'" + attack.replace("'", "''") + "'"
        text = f"{field}: {quoted}{'}' if '{' in field else ''}\n" + ("" if field == "name" else "name: s\n")
        with pytest.raises(StabilityError) as caught:
            parse_study(text)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 700
    for what in ("runs", "cohorts"):
        folder = make_folder(tmp_path / what)
        if attack in {"x" * 5000} or not is_file_name(attack):
            rewrite_plan(folder, lambda fields, what=what: rename(fields, what, attack))
            with pytest.raises(StabilityError) as caught:
                readable(folder)
            assert str(caught.value).isprintable()
            assert len(str(caught.value)) < 300


def is_file_name(text: str) -> bool:
    return text.replace("-", "a").isalnum() and text[0] != "-"


def rename(fields: dict[str, Any], what: str, name: str) -> None:
    if what == "cohorts":
        fields["cohorts"][0]["id"] = name
    else:
        old = fields["runs"][0]["run"]
        fields["runs"][0]["run"] = name
        for cohort in fields["cohorts"]:
            cohort["runs"] = [name if run == old else run for run in cohort["runs"]]


def test_what_a_plan_and_an_environment_say_is_inert(tmp_path: Path, browser: Browser) -> None:
    folder = make_folder(tmp_path)

    def change(fields: dict[str, Any]) -> None:
        fields["device"] = HTML[0]
        for place, run in enumerate(fields["runs"]):
            attack = ATTACKS[place % len(ATTACKS)]
            run["levels"] = {attack: attack, "loss": attack}

    rewrite_plan(folder, change)
    (folder / "environment.json").write_text('{"device": "<script>window.__pwned=1</script>"}')
    shown_text(browser, report(folder))


@pytest.mark.parametrize(
    "change", [{"trial": HTML[0]}, {"config": {"recipe": HTML[0]}}], ids=["trial", "recipe"]
)
def test_a_plan_with_other_runs_than_were_trained_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    folder = make_folder(tmp_path)

    def plant(fields: dict[str, Any]) -> None:
        run = fields["runs"][0]
        fields["runs"][0] = {**run, **change, "config": run["config"] | change.get("config", {})}

    rewrite_plan(folder, plant)
    with pytest.raises(StabilityError, match="was trained otherwise than planned") as caught:
        report(folder)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("attack", [*PATHS[:3], *SPOOFS[:4], HTML[0]], ids=lambda text: ascii(text[:30]))
def test_no_run_is_looked_up_outside_its_folder(attack: str, tmp_path: Path) -> None:
    store = Store.open(make_folder(tmp_path))
    for look in (store.picture, store.latent_view, store.weights):
        with pytest.raises(StabilityError, match="no run"):
            look(attack)

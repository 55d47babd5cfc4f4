"""The form that answers for a setting, in a real browser, beside `stability.advise`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browsing import CHROMIUM, NO_CHROMIUM, launched, silent_tab
from synthetic import synthetic

from stability.questions.advice.chances import NEAREST
from stability.questions.advice.estimate import advise
from stability.reading.frames import StudyFrames
from stability.report import write_report
from stability.spec import Design

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)]

Setting = dict[str, Any]
USUAL: Setting = {
    "loss": "hinge",
    "architecture": "mlp",
    "batchnorm": "none",
    "lr": 2e-4,
    "lr_ratio": 1,
    "beta1": 0.5,
}


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> StudyFrames:
    """Runs of minimax all end as noise; the others end in every way."""
    made = synthetic(
        tmp_path_factory.mktemp("advice") / "results", design=Design(points=14, seeds=2, cross=("loss",))
    )
    ends = made.runs["outcome"].where(made.runs["loss"] != "minimax", "noise")
    return replace(made, runs=made.runs.assign(outcome=ends))


@pytest.fixture(scope="module")
def tab(frames: StudyFrames, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    page: Path = write_report(frames, tmp_path_factory.mktemp("page") / "page.html")
    with launched(playwright) as browser, silent_tab(browser, page) as opened:
        yield opened


def ask(tab: Page, setting: Setting) -> dict[str, str]:
    """Fill the form in; the answer's numbers, as text, and its words."""
    for name, value in setting.items():
        field = tab.locator(f"#advice [name={name}]")
        if field.evaluate("field => field.localName") == "select":
            field.select_option(str(value))
        else:
            field.fill(str(value))
    answer = tab.locator("#advice .answer")
    found: dict[str, str] = answer.evaluate("answer => ({...answer.dataset, words: answer.textContent})")
    return found


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"lr": 5e-3},
        {"lr": 7.3e-5, "lr_ratio": 12, "beta1": 0},
        {"loss": "non-saturating", "architecture": "dcgan", "batchnorm": "generator"},
        {"loss": "non-saturating", "lr": 1e-2, "lr_ratio": 0.05, "beta1": 0.95},
        {"loss": "minimax"},
        {"loss": "minimax", "lr": 3e-3, "architecture": "dcgan"},
    ],
    ids=str,
)
def test_the_form_answers_as_advise_does(tab: Page, frames: StudyFrames, changed: Setting) -> None:
    setting = USUAL | changed
    expected, found = advise(frames, setting), ask(tab, setting)
    assert expected.reason == ""
    assert float(found["chance"]) == pytest.approx(expected.chance, abs=1e-5)
    assert float(found["low"]) == pytest.approx(expected.ci_low, abs=1e-5)
    assert float(found["high"]) == pytest.approx(expected.ci_high, abs=1e-5)
    line = next(line for line in str(expected).splitlines() if line.startswith("answer"))
    said = tab.locator("#advice .verdict").text_content() or ""
    assert said.lower() == f"{line.removeprefix('answer   ')}."
    assert f"by {expected.n_runs} runs at {expected.n_points} points" in found["words"]
    cards = tab.locator("#advice .near-run")
    near = [label.split(",")[0] for label in cards.evaluate_all("all => all.map((one) => one.ariaLabel)")]
    assert near == expected.nearest["run"].tolist()[:NEAREST]
    told = tab.locator("#advice .gallery .part").all_text_contents()
    for words, differs in zip(told, expected.nearest["differs"], strict=False):
        assert words.replace("−", "-").replace("lr ratio", "lr_ratio") == differs
    assert cards.locator("canvas").count() == len(near)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"lr": 0.5}, "No number: outside of what this study trained: lr 0.5 (drawn from 5e−5 to 0.01)."),
        ({"beta1": "half"}, "No answer: beta1 half is no number."),
        ({"lr": "0,0002"}, "No answer: lr 0,0002 has a decimal comma, write 0.0002."),
        ({"lr_ratio": "", "beta1": "nan"}, "No answer: lr ratio is empty; beta1 nan is no number."),
    ],
)
def test_without_numbers_inside_of_the_space_there_is_none(tab: Page, changed: Setting, words: str) -> None:
    found = ask(tab, USUAL | changed)
    assert found["words"] == words
    assert (found["chance"], found["low"]) == ("", "")
    assert tab.locator("#advice .near-run").count() == 0
    assert tab.locator("#advice code").is_visible() == words.startswith("No number: outside")


def test_a_near_run_opens_and_the_command_asks_the_same(tab: Page, frames: StudyFrames) -> None:
    ask(tab, USUAL)
    said = tab.locator("#advice code").text_content() or ""
    assert said.startswith(f"stability advise {frames.folder} --set loss=hinge")
    assert all(f"--set {name}=" in said for name in USUAL)
    tab.locator("#advice .near-run").first.click()
    assert tab.locator("#run-panel").is_visible()
    tab.keyboard.press("Escape")

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from synthetic import synthetic

from stability import __version__
from stability.errors import StabilityError
from stability.page_kit.words import NOTHING
from stability.questions.all import estimate
from stability.reading.frames import StudyFrames
from stability.reading.study import Study
from stability.report import page as module
from stability.report import write_report
from stability.report.badge import Badge
from stability.report.page import render
from stability.spec import Choice, Design, Range, Training

N_OUTCOMES = 8
"""That the made study plants."""

MakeStudy = Callable[..., StudyFrames]
FETCHING = ("src", "srcset", "action", "data", "poster", "background", "formaction", "ping")
VOID = {"meta", "link", "img", "input", "br", "source"}


class Page(HTMLParser):
    """Everything a test asks of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        found = [attrs for name, attrs in self.tags if name == tag]
        return [attrs for attrs in found if all(attrs.get(key) == value for key, value in wanted.items())]

    @property
    def data(self) -> dict[str, Any]:
        """What the page's script reads."""
        found = self.text.partition('id="runs-data">')[2].partition("</script>")[0]
        return dict(json.loads(found))

    @property
    def said(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def parsed(page: Path) -> Page:
    return Page(page)


def written(frames: StudyFrames, tmp_path: Path) -> Page:
    return Page(write_report(frames, tmp_path / "page.html"))


def test_the_page_has_every_section_and_all_tags_close(parsed: Page) -> None:
    assert not parsed.open
    first = ["gallery", "bars", "short", "advice"]
    sections = ["shares", "map", "compare", "matters", "autopsies", "time", "warning", "trust"]
    shown = [attrs["id"] for attrs in parsed.all("section")]
    assert [name for name in shown if name not in sections] == [
        *first,
        "runs",
        "table",
        "unanswered",
        "design",
        "paper",
    ]
    assert [name for name in sections if name in shown] == shown[4:-5]
    assert len(parsed.all("h1")) == 1


def test_ids_are_unique_and_links_within_the_page_are_met(parsed: Page) -> None:
    ids = [attrs["id"] for _, attrs in parsed.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = [attrs["href"][1:] for _, attrs in parsed.tags if attrs.get("href", "").startswith("#")]
    assert targets
    assert set(targets) <= set(ids)


@pytest.mark.parametrize("bears", [True, False])
def test_what_few_runs_cannot_say_is_folded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, bears: bool
) -> None:
    monkeypatch.setattr(module, "honesty", lambda _: Badge("so planted", bears, ()))
    study = synthetic(tmp_path / "results", design=Design(points=8, seeds=2, cross=("loss",)))
    shown = written(study, tmp_path)
    thin = shown.all("details", **{"class": "thin"})
    sections = {attrs["id"] for attrs in shown.all("section")} & {"compare", "time", "warning"}
    assert {"compare", "time"} <= sections
    assert len(thin) == (0 if bears else len(sections))
    assert not any("open" in attrs for attrs in thin)


def test_nothing_is_fetched(parsed: Page) -> None:
    assert "https://" not in parsed.text
    assert "http://" not in parsed.text.replace("http://www.w3.org/2000/svg", "")  # a name, not an address
    for tag, attrs in parsed.tags:
        for name in FETCHING:
            assert attrs.get(name, "data:").startswith("data:"), (tag, name)
        assert attrs.get("href", "#").startswith(("#", "data:")), tag
    assert "@import" not in parsed.text


def test_the_policy_allows_nothing_but_the_page_s_own_scripts(parsed: Page) -> None:
    policy = parsed.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    scripts = re.findall(r"<script>(.*?)</script>", parsed.text, flags=re.DOTALL)
    own = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert len(scripts) == 1
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{own}';" in policy


def test_every_picture_speaks(parsed: Page) -> None:
    figures = parsed.all("svg", role="img")
    assert len(figures) > 3 + 1  # shares by three factors, the map, findings
    assert all(len(attrs["aria-label"]) > 40 for attrs in figures)
    first, *others = [attrs["alt"] for attrs in parsed.all("img")]
    assert first == "Real examples of mnist"
    still = r"4 images of a typical run that ended \S+, at step [\d,]+"
    rest = [text for text in others if not re.fullmatch(still, text)]
    assert len(others) - len(rest) == N_OUTCOMES
    assert all("generated images at step" in text for text in rest)


def test_every_outcome_has_a_typical_run_with_its_film_curves_and_latent_views(parsed: Page) -> None:
    data = parsed.data
    assert len(data["typical"]) == N_OUTCOMES
    linked = {attrs["data-run"] for attrs in parsed.all("a") if "data-run" in attrs}
    assert linked == set(data["typical"])
    for run in data["typical"]:
        detail = data["details"][run]
        assert detail["film"]["images"] == 8
        assert detail["curves"]["step"]
        assert len(detail["views"]["pictures"]) == 2  # the run and the other seed of its trial
        assert "along the great circle" in detail["views"]["note"]
    assert re.fullmatch(r"stability replay \S*results ", data["replay"][0])
    assert re.fullmatch(r"stability show \S*results ", data["show"][0])


def test_the_banner_tells_the_design(parsed: Page) -> None:
    for fact in ("48 finished of 48 planned", "Sobol", "8 points, 2 seeds each", "1,000 steps", "0.05 to 20"):
        assert fact in parsed.said, fact
    assert "drawn log-uniformly" in parsed.said
    assert "saturated_separation" in parsed.said


def test_every_rate_stands_with_its_interval_and_its_sizes(parsed: Page) -> None:
    assert re.search(r"hinge \.\d\d \[\.\d+, \.\d+\]", parsed.said)
    assert "n_points n_runs" in parsed.said


def test_the_data_behind_a_figure_can_be_downloaded(parsed: Page) -> None:
    links = [attrs for attrs in parsed.all("a") if "download" in attrs]
    runs = next(attrs for attrs in links if attrs["download"] == "synthetic-runs.csv")
    content = base64.b64decode(runs["href"].removeprefix("data:text/csv;base64,"))
    frame = pd.read_csv(io.BytesIO(content))
    assert len(frame) == 48
    assert {"lr_ratio", "beta1", "outcome", "reason"} <= set(frame)
    assert {"synthetic-shares-by-loss.csv", "synthetic-map-of-runs.csv"} <= {
        attrs["download"] for attrs in links
    }


def test_text_from_a_study_cannot_become_markup(make_study: MakeStudy, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    space: dict[str, Range | Choice] = {
        "loss": Choice(values=("hinge", evil)),
        "lr_ratio": Range(low=0.1, high=10, log=True),
        "lr": Range(low=1e-4, high=1e-2, log=True),
    }
    design = Design(points=4, seeds=1, cross=())
    frames = make_study(
        space=space, design=design, name="<b>bold</b>", reason='"><img src=x onerror=alert(2)>'
    )
    assert evil in set(frames.runs["loss"])
    parsed = written(frames, tmp_path)
    assert [attrs.get("type", "script") for attrs in parsed.all("script")] == [
        "application/json",
        "script",
    ]
    assert all(attrs["src"].startswith("data:") for attrs in parsed.all("img"))
    assert not [attrs for _, attrs in parsed.tags if any(name.startswith("on") for name in attrs)]
    assert "<b>bold</b>" in parsed.said
    assert evil in parsed.said


def test_a_study_with_nothing_finished_says_so(make_study: MakeStudy, tmp_path: Path) -> None:
    parsed = written(make_study(finished=0), tmp_path)
    assert "Nothing has finished yet: 0 of 36 planned runs." in parsed.said
    assert [attrs["id"] for attrs in parsed.all("section")] == ["design"]


def test_a_study_under_way_warns(make_study: MakeStudy, tmp_path: Path) -> None:
    parsed = written(make_study(finished=9), tmp_path)
    assert "after 9 of 36 planned runs" in parsed.said
    assert "27 runs of 36 are not finished" in parsed.said


def test_a_search_shows_counts_and_no_rate(make_study: MakeStudy, tmp_path: Path) -> None:
    parsed = written(make_study(design=Design(sampler="tpe", points=6, seeds=1, cross=("loss",))), tmp_path)
    assert "Rates are not estimable: tpe chose its points" in parsed.said
    assert "counts of a search, not rates" in parsed.said
    assert not re.search(r"\[\.?\d[^\]]*, [^\]]*\]", parsed.said)


@pytest.mark.slow
@pytest.mark.parametrize(
    "space",
    [{"lr": Range(low=1e-4, high=1e-2, log=True)}, {"loss": Choice(values=("hinge", "minimax"))}, {}],
    ids=["one range", "no range", "nothing varied"],
)
def test_small_spaces_have_a_page_too(
    make_study: MakeStudy, tmp_path: Path, space: dict[str, Range | Choice]
) -> None:
    frames = make_study(space=space, design=Design(points=3, seeds=2), events=False)
    parsed = written(frames, tmp_path)
    assert not parsed.open
    ids = {attrs.get("id") for _, attrs in parsed.tags}
    assert ("map-of-runs" in ids) == ("lr" in space)
    not_shared = "have no finished setting in common yet: nothing is ranked"  # the loss was not crossed here
    assert ("loss" in space) == (not_shared in parsed.said)
    assert "loss" in space or "a map needs two parameters that were drawn from ranges" in parsed.said


def test_the_seeds_of_one_point_are_the_units(make_study: MakeStudy, tmp_path: Path) -> None:
    parsed = written(make_study(design=Design(points=1, seeds=3, cross=("loss",))), tmp_path)
    assert (
        "(as the best of 3: 16 to 95%) of 3 runs ended stable or nearly so, over 3 seeds , not settings"
        in parsed.said
    )
    assert "it is over seeds and says nothing of other settings" in parsed.said
    assert "Student’s t on the differences within seeds (points below are seeds)" in parsed.said
    assert "single point" not in parsed.said


@pytest.mark.slow
def test_a_study_without_latent_views_has_none(make_study: MakeStudy, tmp_path: Path) -> None:
    frames = make_study(design=Design(points=2, seeds=1, cross=()))
    for picture in frames.folder.rglob("latent/*.png"):
        picture.unlink()
    details = written(frames, tmp_path).data["details"]
    assert details
    assert not [run for run, detail in details.items() if "views" in detail]


def test_the_page_stays_small(page: Path) -> None:
    """The pictures and curves of all 48 runs take 1 MB of it."""
    assert page.stat().st_size < 4_000_000


@pytest.mark.slow
def test_runs_that_stop_early_are_pointed_out(make_study: MakeStudy, tmp_path: Path) -> None:
    training = Training(steps=1000, stop_on=("diverged", "saturated"))
    parsed = written(make_study(design=Design(points=2, seeds=1), training=training), tmp_path)
    assert "when diverged or saturated" in parsed.said
    assert "Runs that were stopped early keep their label" in parsed.said


@pytest.mark.slow
def test_the_replay_command_is_the_caller_s_and_quoted(make_study: MakeStudy, tmp_path: Path) -> None:
    frames = make_study(design=Design(points=1, seeds=1, cross=()))
    out = write_report(frames, tmp_path / "page.html", replay_command="again {run} in {folder}")
    assert Page(out).data["replay"] == ["again ", f" in {frames.folder}"]


@pytest.mark.slow
def test_the_same_study_gives_the_same_page(make_study: MakeStudy, tmp_path: Path) -> None:
    frames = make_study(design=Design(points=2, seeds=1))
    first, second = (write_report(frames, tmp_path / name).read_bytes() for name in ("a.html", "b.html"))
    assert first == second


def test_an_unwritable_place_is_told_in_one_line(make_study: MakeStudy, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StabilityError, match="cannot be written"):
        write_report(make_study(finished=0), tmp_path / "file" / "page.html")


def test_importing_the_report_imports_neither_torch_nor_optuna() -> None:
    unwanted = "{'torch', 'optuna'}"
    code = f"import sys, stability.report; sys.exit(bool({unwanted} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_command_line_starts_without_the_report() -> None:
    code = "import sys, stability.cli.app; sys.exit(bool({'seaborn', 'stability.report'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def with_variants(frames: StudyFrames) -> StudyFrames:
    """The same study with the losses as variants of the first one."""
    space = {name: domain for name, domain in frames.spec.space.items() if name != "loss"}
    losses = dict.fromkeys(frames.runs["loss"])
    spec = frames.spec.model_copy(
        update={
            "space": space,
            "variants": {loss: {"loss": loss} for loss in losses},
            "design": frames.spec.design.model_copy(update={"cross": ("variant",)}),
        }
    )
    return dataclasses.replace(frames, spec=spec, runs=frames.runs.assign(variant=frames.runs["loss"]))


def test_variants_are_compared_with_the_first_alone(make_study: MakeStudy, tmp_path: Path) -> None:
    frames = with_variants(make_study())
    page = Page(write_report(frames, tmp_path / "variants.html"))
    text = " ".join(page.words)
    assert "Does it help? Which variant makes runs succeed more or less often than minimax?" in text
    assert "comparisons with minimax at once" in text
    assert "non-saturating − minimax" in text
    assert "non-saturating − hinge" not in text
    assert "hinge − non-saturating" not in text


def test_configurations_are_shown_by_their_names(make_study: MakeStudy, tmp_path: Path) -> None:
    frames = make_study(space={}, design=Design(points=3, seeds=2))
    names = [f"way-{point}" for point in frames.runs["point"]]
    spec = frames.spec.model_copy(
        update={
            "configs": {name: {"width": 8 + place} for place, name in enumerate(dict.fromkeys(names))},
            "design": Design(sampler="given", points=3, seeds=2),
        }
    )
    frames = dataclasses.replace(frames, spec=spec, runs=frames.runs.assign(configuration=names))
    text = " ".join(Page(write_report(frames, tmp_path / "configs.html")).words)
    assert all(name in text for name in ("way-0", "way-1", "way-2"))
    assert "none: configurations given by hand" in text
    assert "more often under one configuration than under another" not in text


def test_the_first_screen_answers_before_everything_else(parsed: Page) -> None:
    title = "48 GANs on mnist, 3 losses , 1,000 steps ; page of "
    order = [
        title,
        "demonstration: 8 points",
        "real examples",
        "How the runs ended under each loss",
        "In short",
    ]
    places = [parsed.said.index(text) for text in order]
    assert places == sorted(places)
    assert re.search(r"\d+% \(\d+ to \d+%\)", parsed.said[: places[-1]])
    assert not re.search(r"\[\.?\d", parsed.said[: places[-1]])


def test_the_page_carries_the_day_it_was_written(make_study: MakeStudy) -> None:
    found = estimate(Study(make_study(finished=0)))
    text = render(found, replay_command="", written=date(2031, 2, 3))
    assert f"page of 3 February 2031, stability {__version__}" in text


def test_what_cannot_be_told_is_one_folded_line_and_no_table_of_dashes(parsed: Page) -> None:
    folded = re.search(r"(\d+) questions? that this study cannot answer", parsed.said)
    assert folded is not None
    section = parsed.text.partition('<section id="unanswered"')[2].partition("</section>")[0]
    assert section.count("<details") == 1
    assert "<details open" not in section
    assert section.count("<li>") == int(folded[1]) > 0
    assert len(re.findall(f">{NOTHING}</t[dh]>", parsed.text)) < 20


def test_a_single_point_has_pictures_and_curves_and_nothing_else(
    make_study: MakeStudy, tmp_path: Path
) -> None:
    parsed = written(make_study(design=Design(points=1, seeds=1, cross=("loss",))), tmp_path)
    shown = [attrs["id"] for attrs in parsed.all("section")]
    assert shown == ["gallery", "short", "runs", "table", "unanswered", "design", "paper"]
    assert "That takes at least two settings" in parsed.said

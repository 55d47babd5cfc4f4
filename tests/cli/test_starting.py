"""What one begins with: study files that ship, finished studies to look at; and a page that follows one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import stability
from stability.cli.shipped import DEMOS, STUDIES, demos, names, time_told, times
from stability.spec import load_study

Command = Any
ROOT = Path(__file__).parents[2]
ENDS = {
    "collapse": {"0.009-s0": "collapsed", "0.009-s1": "nearly-stable", "0.003": "nearly-stable"},
    "healthy": {"s0": "nearly-stable", "s1": "nearly-stable"},
    "oscillation": {
        "oscillating": "oscillating",
        "less-momentum": "nearly-stable",
        "healthy": "nearly-stable",
    },
    "saturation": {"saturated": "saturated", "healthy": "nearly-stable"},
}
"""How the runs of each demo end, by a word in their names."""
MOST_BYTES = 900_000
"""Of all demos as they lie; a wheel compresses them to less than half."""


def test_every_study_file_of_the_folder_ships() -> None:
    assert names() == sorted(path.stem for path in (ROOT / "studies").glob("*.yaml"))
    assert {name for name in names() if times()["studies"].get(name)} >= {"quickstart", "losses", "failures"}


def test_a_study_that_ships_is_copied_with_its_time(stability: Command, workplace: Path) -> None:
    answer = stability("init", "--from", "quickstart")
    assert answer.out == (
        f"wrote quickstart.yaml ({time_told('quickstart')}); next: stability validate quickstart.yaml\n"
    )
    assert (workplace / "quickstart.yaml").read_bytes() == (ROOT / "studies" / "quickstart.yaml").read_bytes()
    again = stability("init", "--from", "quickstart")
    assert (again.code, again.err) == (
        2,
        "error: quickstart.yaml: exists already; give another name or --force\n",
    )
    assert stability("init", "mine.yaml", "--from", "fashion").out.startswith("wrote mine.yaml; next")


def test_a_study_that_does_not_ship_is_refused_with_those_that_do(
    stability: Command, workplace: Path
) -> None:
    answer = stability("init", "--from", "quikstart")
    assert answer.code == 2
    assert answer.err.startswith(
        'error: --from: unknown study "quikstart"; did you mean "quickstart"? allowed: '
    )
    assert answer.err.rstrip().endswith(", ".join(names()))
    assert [path.name for path in workplace.iterdir()] == ["study.yaml"]


def test_demos_are_listed_with_what_they_show(stability: Command) -> None:
    lines = stability("demo").out.splitlines()
    assert [line.split()[0] for line in lines] == list(demos()) == sorted(ENDS)
    assert all(len(line.split()) > 8 for line in lines)


def test_an_unknown_demo_is_refused(stability: Command) -> None:
    answer = stability("demo", "colapse")
    assert (answer.code, answer.out) == (2, "")
    assert 'unknown demo "colapse"; did you mean "collapse"?' in answer.err


@pytest.mark.parametrize("name", ENDS)
def test_a_demo_is_its_study_trained_and_ends_as_it_says(name: str) -> None:
    frames = stability.load(DEMOS / name)
    assert frames.spec == load_study(STUDIES / "demos" / f"{name}.yaml")
    assert len(frames.runs) == len(frames.plan.runs)
    for word, outcome in ENDS[name].items():
        runs = frames.runs[frames.runs["run"].str.contains(word)]
        assert set(runs["outcome"]) == {outcome}
    films = {path.stem for path in (DEMOS / name).rglob("filmstrips/*.png")}
    assert films == set(frames.runs["run"])


def test_the_demos_are_small() -> None:
    assert sum(path.stat().st_size for path in DEMOS.rglob("*") if path.is_file()) < MOST_BYTES


@pytest.mark.slow
def test_a_demo_writes_its_page_and_opens_it(
    stability: Command, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    answer = stability("demo", "saturation", "--out", "shown")
    assert answer.out == "wrote shown/saturation and shown/saturation.html\n"
    assert opened == [(workplace / "shown" / "saturation.html").as_uri()]
    text = (workplace / "shown" / "saturation.html").read_text(encoding="utf-8")
    assert "p000-saturated-s0" in text
    refused = stability("demo", "saturation", "--out", "shown", "--no-open")
    assert refused.err == "error: shown/saturation: exists already; give another --out\n"
    assert len(opened) == 1


def test_where_there_is_no_browser_it_says_where_the_page_is(
    stability: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pages: list[Path] = []

    def written(folders: list[Path], kind: str, page: Path) -> Path:
        assert folders[0].is_dir()
        pages.append(page)
        return page

    monkeypatch.setattr("stability.report.write.write", written)
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    monkeypatch.setattr("tempfile.mkdtemp", lambda prefix: str(tmp_path))
    answer = stability("demo", "healthy")
    assert answer.out.splitlines()[1] == f"no browser was found; open {pages[0]} in one"
    assert stability("demo", "collapse", "--no-open").out.count("\n") == 1


def test_a_page_is_followed_until_its_study_is_complete(
    stability: Command, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int | None] = []

    def write(*_: object, follow: int | None, **__: object) -> Path:
        written.append(follow)
        return Path("page.html")

    monkeypatch.setattr("stability.report.follow.write", write)
    assert stability("report", finished, "--watch", "5").out == "wrote page.html\n"
    assert written == [None]
    refused = stability("report", finished, "--watch", "5", "--format", "json")
    assert refused.err == "error: --watch: follows the page of one study, and writes nothing else\n"

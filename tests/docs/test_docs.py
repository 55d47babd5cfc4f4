"""The documentation: it builds without a warning, links lead somewhere, commands and files work."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stability.cli.app import app
from stability.reading.frames import load
from stability.spec import parse_study

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(#[^)]*)?\)")
SMALL = ("training.steps=4", "design.points=2", "recording.samples=64", "recording.final_samples=64")
"""What makes a study of minutes one of seconds."""
EXECUTED = {
    ("monitor.md", "stability.Monitor"),
    ("monitor.md", "MonitorCallback"),
    ("extending.md", "pair ="),
    ("extending.md", "loss = Loss"),
    ("extending.md", "penalty = Term"),
    ("extending.md", "drift = FreeTerm"),
    ("extending.md", "def sharpness"),
}
"""The blocks of Python, by words of theirs: tests/monitor and tests/spec run them."""


def blocks(language: str) -> list[tuple[Path, str]]:
    """Every block of code in a language, with its page."""
    return [
        (page, body)
        for page in PAGES
        for kind, body in BLOCK.findall(page.read_text(encoding="utf-8"))
        if kind == language
    ]


def commands(body: str) -> list[tuple[str, ...]]:
    """The commands of a block, without their comments."""
    return [tuple(words) for line in body.splitlines() if (words := shlex.split(line, comments=True))]


def test_every_block_is_of_a_kind_that_a_test_executes() -> None:
    kinds = {kind for page in PAGES for kind, _ in BLOCK.findall(page.read_text(encoding="utf-8"))}
    assert kinds == {"python", "sh", "yaml"}
    left = [
        (page.name, body)
        for page, body in blocks("python")
        if not any(page.name == name and words in body for name, words in EXECUTED)
    ]
    assert left == []


@pytest.mark.parametrize("body", [body for _, body in blocks("yaml")])
def test_the_study_files_load(body: str) -> None:
    assert parse_study(body).space


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [link for link, _ in LINK.findall(text) if not (page.parent / link).exists()] == []


INSTALLED = {
    ("pip", "install", "."),
    ("pip", "install", "torch", "torchvision", "--index-url", "https://download.pytorch.org/whl/cpu"),
}
"""What is installed, by the first page alone."""
SHELL = [body for _, body in blocks("sh")]


@pytest.mark.slow
@pytest.mark.parametrize(
    "body", [one for one in SHELL if not any(set(commands(one)) < set(commands(other)) for other in SHELL)]
)
def test_the_commands_work(body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a block that another one holds are not run twice."""
    shutil.copytree(ROOT / "studies", tmp_path / "studies")
    (tmp_path / "results").symlink_to(ROOT / "results")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("webbrowser.open", lambda _: True)
    for program, *words in commands(body):
        if program == "make":  # what it would do, without doing it
            subprocess.run(
                ["make", "--dry-run", "--directory", ROOT, *words], check=True, capture_output=True
            )
        elif program == "stability":
            small = [part for key in SMALL for part in ("--set", key)] if words[0] == "run" else []
            result = CliRunner().invoke(app, [*words, *small])
            assert result.exit_code == 0, (words, result.output)
        else:
            assert (program, *words) in INSTALLED


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_can_be_searched_offline(tmp_path: Path) -> None:
    shutil.copytree(
        ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("_build", "_generated", "gallery")
    )
    for name in ("CONTRIBUTING.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "studies", tmp_path / "studies")
    (tmp_path / "results").symlink_to(ROOT / "results")
    for page in (*ROOT.glob("benchmarks/*.md"), *ROOT.glob("reports/*.md")):
        (tmp_path / page.parent.name).mkdir(exist_ok=True)
        shutil.copy(page, tmp_path / page.parent.name)
    build = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*build, tmp_path / "docs", tmp_path / "site"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "wgan-clip" in (tmp_path / "site" / "study-file.html").read_text(encoding="utf-8")
    shown = (tmp_path / "site" / "gallery" / "losses.html").read_text(encoding="utf-8")
    n_runs, (kept,) = len(load(ROOT / "results" / "losses").runs), re.findall(r"In all, (.*?)</p>", shown)
    assert sum(map(int, re.findall(r"(\d+) <em>", kept))) == n_runs
    assert re.search(r"most often with .*wgan-gp.*47% \(31 to 64%\)", shown)
    assert (tmp_path / "site" / "_images" / "losses.png").is_file()
    assert (tmp_path / "site" / "searchindex.js").stat().st_size > 10_000
    loaded = [
        link
        for page in (tmp_path / "site").glob("*.html")
        for link in re.findall(r'(?:src|<link[^>]+href)="(https?:[^"]+)"', page.read_text(encoding="utf-8"))
    ]
    assert loaded == [], "a page that loads something from elsewhere"

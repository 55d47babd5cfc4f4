from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from small_studies import SMALL, all_bytes, make_small, run_small, small_spec

from stability.cli.app import main


@dataclass(frozen=True)
class Answer:
    """What a command left behind: exit code, stdout and stderr."""

    code: int | str | None
    out: str
    err: str


Command = Callable[..., Answer]


@pytest.fixture(scope="session")
def feature_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module", autouse=True)
def _small_world(feature_cache: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch, feature_cache)
        yield


@pytest.fixture(scope="session")
def finished(feature_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A finished small study; not to be written to."""
    folder = tmp_path_factory.mktemp("results") / "small"
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch, feature_cache)
        assert run_small(small_spec(), folder)
    before = all_bytes(folder)
    yield folder
    assert all_bytes(folder) == before


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder but for the small study's file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    (tmp_path / "study.yaml").write_text(SMALL)
    return tmp_path


@pytest.fixture
def stability(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Call the real `main` with arguments, as the installed command does."""

    def call(*arguments: str | Path) -> Answer:
        monkeypatch.setattr(sys, "argv", ["stability", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Answer(ended.value.code, out, err)

    return call

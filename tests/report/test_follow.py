from __future__ import annotations

from pathlib import Path

import pytest

from stability.report import follow as module
from stability.report.follow import follow

Status = dict[str, object]


def state(finished: int, *, complete: bool = False) -> Status:
    return {"runs_finished": finished, "complete": complete}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """After how many seconds each page that was written reads itself again."""
    found: list[int | None] = []

    def write(*_: object, follow: int | None, **__: object) -> Path:
        found.append(follow)
        return Path("page.html")

    monkeypatch.setattr(module, "write", write)
    return found


def test_it_is_written_when_runs_have_finished_until_all_have(
    monkeypatch: pytest.MonkeyPatch, written: list[int | None]
) -> None:
    states = iter([state(0), state(0), state(3), state(3), state(5), state(5, complete=True)])
    monkeypatch.setattr(module, "study_status", lambda _: next(states))
    waited: list[float] = []
    pages = list(follow(Path("results/a"), None, every=7, wait=waited.append))
    assert len(pages) == 4
    assert written == [7, 7, 7, None]
    assert waited == [7] * 5


def test_the_page_of_a_complete_study_follows_nothing(
    monkeypatch: pytest.MonkeyPatch, written: list[int | None]
) -> None:
    monkeypatch.setattr(module, "study_status", lambda _: state(5, complete=True))
    assert list(follow(Path("results/a"), None, every=7, wait=pytest.fail)) == [Path("page.html")]
    assert written == [None]

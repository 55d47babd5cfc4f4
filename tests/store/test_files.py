from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from stability.errors import StabilityError
from stability.store.files import (
    folder_at_once,
    host_name,
    replace_file,
    temporary_name,
    temporary_owner,
    write_asked,
)

LARGEST = 1 << 20


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond a megabyte."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_files")
def test_what_does_not_fit_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(b"older")
    with pytest.raises(OSError, match="File too large"):
        write_asked(path, bytes(LARGEST + 1))
    with pytest.raises(StabilityError) as caught:
        replace_file(path, bytes(LARGEST + 1))
    assert str(caught.value) == f"{path}: File too large"
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_was_asked_for_replaces_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    for content in (b"first", b"second"):
        write_asked(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileNotFoundError):
        write_asked(tmp_path / "nowhere" / "page.html", b"")


def test_links_and_pipes_are_written_through(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"older")
    (tmp_path / "link").symlink_to("target")
    write_asked(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_asked(tmp_path / "pipe", b"said")
    assert os.read(reader, 100) == b"said"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


def test_a_removed_folder_does_not_come_back(tmp_path: Path) -> None:
    path = tmp_path / "results" / "cohorts" / "c0000"
    with pytest.raises(StabilityError, match="No such file"), folder_at_once(path):
        pytest.fail("there is no place for it")
    assert not list(tmp_path.iterdir())


def test_a_new_page_has_the_mode_of_the_older_one(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(b"older")
    path.chmod(0o640)
    write_asked(path, b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o640)


def test_a_page_may_lie_where_no_file_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(b"older")
    monkeypatch.setattr(os, "access", lambda place, mode: Path(place) != tmp_path)
    before = path.stat().st_ino
    write_asked(path, b"new")
    assert (path.read_bytes(), path.stat().st_ino) == (b"new", before)


def test_a_temporary_name_tells_host_and_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "node-3.lab/\u00fc" + 80 * "x")
    name = temporary_name(tmp_path / "plan.json")
    assert name.parent == tmp_path
    assert name.name.startswith(".plan.json.tmp-node-3.lab__xxx")
    assert temporary_owner(name) == (host_name(), os.getpid())
    assert len(host_name()) == 32


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        (".c9.tmp-77", ("", 77)),
        (".a.tmp-b.tmp-node-3-77", ("node-3", 77)),
        (".c9.tmp-node", None),
        (".c9.tmp-", None),
        (".c9.tmp-node-\u0663", None),
    ],
)
def test_an_owner_is_read_or_none(name: str, owner: tuple[str, int] | None) -> None:
    assert temporary_owner(Path(name)) == owner

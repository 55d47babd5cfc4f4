from __future__ import annotations

from pathlib import Path

import pytest

from stability.gan.metrics.files import write_whole


def test_folders_are_made_and_an_older_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "weights"
    for content in (b"first", b"second"):
        write_whole(path, content)
        assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_nothing_is_left_of_what_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "weights", b"in the way")
    assert list(tmp_path.iterdir()) == [tmp_path / "weights"]
    assert not list((tmp_path / "weights").iterdir())

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_study import make_view

from stability.store.sheets import as_sheet, encode_sheet, read_sheet


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_stand_side_by_side_and_below_each_other(channels: int) -> None:
    images = make_view(channels=channels).images
    sheet = as_sheet(images).reshape(8, 12, channels)
    np.testing.assert_array_equal(sheet[4:, 8:], images[1, 2])
    np.testing.assert_array_equal(sheet[:4, 4:8], images[0, 1])


def test_the_note_is_kept_beside_the_pictures(tmp_path: Path) -> None:
    images = make_view().images
    (tmp_path / "r.png").write_bytes(encode_sheet(images, "thing", {"name": "ü", "steps": [1, 2]}))
    read, note = read_sheet(tmp_path / "r.png", "thing")
    assert note == {"name": "ü", "steps": [1, 2]}
    np.testing.assert_array_equal(read, images)
    with pytest.raises(KeyError):
        read_sheet(tmp_path / "r.png", "other thing")


def test_nothing_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="an empty thing cannot be drawn"):
        encode_sheet(make_view().images[:, :0], "thing", {})

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_study import make_strip, plain
from PIL import Image

from stability.errors import StabilityError
from stability.store import FilmStrip, read_filmstrip
from stability.store.filmstrips import encode_filmstrip


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("visits", [1, 2])
def test_a_strip_reads_back_exactly(tmp_path: Path, visits: int, channels: int) -> None:
    strip = make_strip(visits, channels=channels)
    path = tmp_path / "r.png"
    path.write_bytes(encode_filmstrip(strip))
    assert plain(read_filmstrip(path)) == plain(strip)
    assert encode_filmstrip(strip) == path.read_bytes()


def test_a_visit_is_a_row_and_an_image_a_column(tmp_path: Path) -> None:
    strip = make_strip()
    path = tmp_path / "r.png"
    path.write_bytes(encode_filmstrip(strip))
    with Image.open(path) as picture:
        sheet = np.asarray(picture)
    assert sheet.shape == (2 * 4, 3 * 5)
    np.testing.assert_array_equal(sheet[4:, 10:], strip.images[1, 2, :, :, 0])


@pytest.mark.parametrize(
    ("steps", "images"),
    [
        ((1,), np.zeros((1, 2, 4, 4, 1))),
        ((1,), np.zeros((1, 2, 4, 4), np.uint8)),
        ((1,), np.zeros((1, 2, 4, 4, 2), np.uint8)),
        ((1, 2), np.zeros((1, 2, 4, 4, 1), np.uint8)),
    ],
)
def test_what_is_no_strip_is_refused(steps: tuple[int, ...], images: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"filmstrip|visits"):
        FilmStrip(steps, images)


def test_missing_and_damaged_files_are_told(tmp_path: Path) -> None:
    path = tmp_path / "r.png"
    with pytest.raises(StabilityError, match="not found"):
        read_filmstrip(path)
    content = encode_filmstrip(make_strip())
    Image.new("L", (4, 4)).save(tmp_path / "plain.png")
    damaged = [b"", b"text", content[:40], content[:-30], content.replace(b"steps", b"stops")]
    for wrong in (*damaged, (tmp_path / "plain.png").read_bytes()):
        path.write_bytes(wrong)
        with pytest.raises(StabilityError, match=r"r\.png: damaged"):
            read_filmstrip(path)

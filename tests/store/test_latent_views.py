from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from made_study import make_strip, make_view

from stability.errors import StabilityError
from stability.store import LatentView, ViewKind, read_latent_view
from stability.store.filmstrips import encode_filmstrip
from stability.store.latent_views import encode_latent_view


@pytest.mark.parametrize("kind", get_args(ViewKind))
@pytest.mark.parametrize("channels", [1, 3])
def test_a_view_reads_back_exactly(tmp_path: Path, kind: ViewKind, channels: int) -> None:
    view = make_view(kind, channels)
    path = tmp_path / "r.png"
    path.write_bytes(encode_latent_view(view))
    read = read_latent_view(path)
    assert (read.kind, read.latent, read.latent_dim) == (kind, "normal", 8)
    np.testing.assert_array_equal(read.images, view.images)
    assert encode_latent_view(read) == path.read_bytes()


@pytest.mark.parametrize(
    "changes", [{"kind": "walk"}, {"latent": "odd"}, {"images": np.zeros((1, 2, 4, 4, 1))}]
)
def test_what_is_no_view_is_refused(changes: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"kind": "manifold", "latent": "normal", "images": make_view().images}
    with pytest.raises(ValueError, match="latent view"):
        LatentView(latent_dim=2, **(fields | changes))


def test_missing_damaged_and_other_pictures_are_told(tmp_path: Path) -> None:
    path = tmp_path / "r.png"
    with pytest.raises(StabilityError, match="not found"):
        read_latent_view(path)
    content = encode_latent_view(make_view())
    for wrong in (b"", content[:-30], content.replace(b"kind", b"kink"), encode_filmstrip(make_strip())):
        path.write_bytes(wrong)
        with pytest.raises(StabilityError, match=r"r\.png: damaged, this is no latent view"):
            read_latent_view(path)

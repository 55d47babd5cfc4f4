from __future__ import annotations

import numpy as np
import pytest

from stability.gan.data.sparse_images import packed, unpacked


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize("size", [3, 28])
def test_images_come_back_as_they_were(n: int, size: int) -> None:
    rng = np.random.default_rng(n)
    images = rng.integers(1, 256, (n, size, size), np.uint8) * (rng.random((n, size, size)) < 0.2)
    np.testing.assert_array_equal(unpacked(*packed(images.astype(np.uint8)), size), images)

"""Real examples, drawn as films draw generated ones.

May not import store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from stability.gan.data.datasets import Dataset
from stability.gan.data.points import PICTURED_POINTS, draw_points, picture_extent

_SEED = 20_140_610
"""Of the choice: the same examples in every sheet."""


def real_examples(dataset: Dataset, n: int) -> NDArray[np.uint8]:
    """Held-out images, at most n of them, as uint8 [n, h, w, channels]; of points one picture of many."""
    order = torch.randperm(len(dataset.test), generator=torch.Generator().manual_seed(_SEED))
    if dataset.problem is not None:
        points = dataset.test.cpu()[order[:PICTURED_POINTS]]
        return draw_points(points[None], picture_extent(dataset.train))[0, ..., None].numpy()
    return dataset.test.cpu()[order[:n]].permute(0, 2, 3, 1).contiguous().numpy()

"""Rows in whole vector lanes, so that a number does not depend on its place in a cohort."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

LANE = 64


def lane_aligned(rows: Float[Tensor, "members n"]) -> Float[Tensor, "members padded"]:
    """Rows padded with zeros to a multiple of 64 numbers.

    Vector kernels compute whole lanes and leave the tail of a tensor to scalar code that may round
    differently (softplus and sigmoid do). With aligned rows a number's place in a cohort has no say.
    """
    return pad(rows, (0, -rows.shape[1] % LANE))

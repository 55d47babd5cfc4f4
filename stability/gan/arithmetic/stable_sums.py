"""Arithmetic whose rounding depends neither on a row's place in a cohort nor on how many rows there are."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

LANE = 64
BLOCK = 1024


def lane_aligned(rows: Float[Tensor, "members n"]) -> Float[Tensor, "members padded"]:
    """Rows padded with zeros to a multiple of 64 numbers.

    Vector kernels compute whole lanes and leave the tail of a tensor to scalar code that may round
    differently (softplus and sigmoid do). With aligned rows a number's place in a cohort has no say.
    """
    return pad(rows, (0, -rows.shape[1] % LANE))


def row_sums(rows: Float[Tensor, "members n"]) -> Float[Tensor, " members"]:
    """Each row's sum, block by block: a long lone row would be split among threads, several would not."""
    blocks = pad(rows, (0, -rows.shape[1] % BLOCK)).reshape(rows.shape[0], -1, BLOCK)
    return blocks.sum(2).sum(1)

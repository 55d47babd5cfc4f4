"""Triples of digits as the channels of one image: 1,000 modes whose number is known.

Source: Metz et al. 2017, "Unrolled generative adversarial networks", section 3.3. May not import store,
design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

TRAIN, TEST = 60_000, 10_000
"""Triples of each part."""
CLASSES = tuple(f"{number:03}" for number in range(1000))
_SEED = 20_161_107
"""Of the triples: the same in every study."""


def stack_parts(
    train: UInt8[Tensor, "n_train 1 h w"],
    train_labels: Int64[Tensor, " n_train"],
    test: UInt8[Tensor, "n_test 1 h w"],
    test_labels: Int64[Tensor, " n_test"],
) -> tuple[
    tuple[UInt8[Tensor, "m_train 3 h w"], Int64[Tensor, " m_train"]],
    tuple[UInt8[Tensor, "m_test 3 h w"], Int64[Tensor, " m_test"]],
]:
    """Training and test triples with their labels, always the same; neither uses the other's digits."""
    generator = torch.Generator().manual_seed(_SEED)
    return (
        _stack_digits(train, train_labels, TRAIN, generator),
        _stack_digits(test, test_labels, TEST, generator),
    )


def triple_label(digits: Int64[Tensor, "n 3"]) -> Int64[Tensor, " n"]:
    """100 a + 10 b + c."""
    return (digits * torch.tensor([100, 10, 1], device=digits.device)).sum(1)


def _stack_digits(
    images: UInt8[Tensor, "n 1 h w"], labels: Int64[Tensor, " n"], count: int, generator: torch.Generator
) -> tuple[UInt8[Tensor, "m 3 h w"], Int64[Tensor, " m"]]:
    """Draw triples of single digits, with replacement."""
    rows = torch.randint(len(images), (count, 3), generator=generator)
    return images[:, 0][rows], triple_label(labels[rows])

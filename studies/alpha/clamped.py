"""The alpha-losses as the authors' published code has them: probabilities are kept within 1e-7 of 0 and 1.

Whatever is misjudged beyond that gives no gradient, where e^s - 1 of an order of 1/2 knows no bound.
"""

import torch
from torch import Tensor

from stability.gan.losses import Loss, of_order

CLOSEST = 1e-7


def surprise(logits: Tensor) -> Tensor:
    """-log of the clamped probability."""
    return -torch.sigmoid(logits).clamp(CLOSEST, 1 - CLOSEST).log()


def discriminator(real_logits: Tensor, fake_logits: Tensor, order: Tensor | float = 0.0) -> Tensor:
    """Of "real" and "fake"."""
    return of_order(surprise(real_logits), order) + of_order(surprise(-fake_logits), order)


def generator(real_logits: Tensor, fake_logits: Tensor, order: Tensor | float = 0.0) -> Tensor:
    """Less that of calling fakes fake: the saturating game."""
    return -of_order(surprise(-fake_logits), order)


minimax = Loss(discriminator, generator, sigmoid=True, boundary=0.0, has_order=True)

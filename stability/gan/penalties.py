"""Penalties on the discriminator's gradient with respect to its input, per member of a cohort."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "members batch *image"]
Score = Callable[[Images], Float[Tensor, "members batch"]]
PenaltyFunction = Callable[[Score, Images, Images, Float[Tensor, "members batch"]], Tensor]


def input_gradient_norms(score: Score, images: Images) -> Float[Tensor, "members batch"]:
    """Norm of d D(x) / d x for every image, differentiable in the weights.

    Exact per example as long as one example's logit does not depend on another (batchnorm in the
    discriminator breaks this). A norm of 0 has the subgradient 0.
    """
    points = images.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(score(points).sum(), points, create_graph=True)
    squares = gradient.flatten(2).square().sum(2)
    # The root's slope at 0 is infinite and would turn a gradient of exactly 0 (all units dropped) into NaN.
    zero = squares == 0
    return squares.masked_fill(zero, 1).sqrt().masked_fill(zero, 0)


def gradient_penalty(
    score: Score, real: Images, fake: Images, mix: Float[Tensor, "members batch"]
) -> Float[Tensor, "members batch"]:
    """(|grad D(x^)| - 1)^2 at x^ = mix real + (1 - mix) fake, mix ~ U[0, 1] (Gulrajani 2017, eq. 3)."""
    weight = mix.reshape(*mix.shape, *(1 for _ in real.shape[2:]))
    return (input_gradient_norms(score, weight * real + (1 - weight) * fake) - 1).square()


PENALTIES: dict[str, PenaltyFunction | None] = {
    "none": None,
    "gradient-penalty": gradient_penalty,
}

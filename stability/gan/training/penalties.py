"""Penalties on the discriminator's gradient with respect to its input, per member of a cohort."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from stability.errors import StabilityError
from stability.gan.arithmetic.stable_sums import row_sums
from stability.vocabulary.own_code import errors_of_own_code, find_own

Images = Float[Tensor, "members batch *image"]
PerExample = Float[Tensor, "members batch"]
Score = Callable[[Images], PerExample]

PERTURBATION = 0.5
"""DRAGAN's, in standard deviations of the real batch."""


def squared_input_gradients(score: Score, images: Images) -> PerExample:
    """|d D(x) / d x|^2 for every image, differentiable in the weights.

    Exact per example as long as one example's logit does not depend on another (batchnorm in the
    discriminator breaks this).
    """
    points = images.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(score(points).sum(), points, create_graph=True)
    return gradient.flatten(2).square().sum(2)


def one_centred(squares: PerExample) -> PerExample:
    """(|grad| - 1)^2; a gradient of exactly 0 costs 1 and has the subgradient 0."""
    # The root's slope at 0 is infinite and would turn a gradient of exactly 0 (all units dropped) into NaN.
    zero = squares == 0
    return (squares.masked_fill(zero, 1).sqrt().masked_fill(zero, 0) - 1).square()


def zero_centred(squares: PerExample) -> PerExample:
    """|grad|^2."""
    return squares


def half_square(squares: PerExample) -> PerExample:
    """|grad|^2 / 2."""
    return squares / 2


def at_real(real: Images, fake: Images, uniform: Tensor) -> Images:
    """The real images."""
    return real


def at_fake(real: Images, fake: Images, uniform: Tensor) -> Images:
    """The generated images."""
    return fake


def between(real: Images, fake: Images, uniform: PerExample) -> Images:
    """Mixes of a real and a generated image, u real + (1 - u) fake, each by its own u."""
    mix = uniform.reshape(*uniform.shape, *(1 for _ in real.shape[2:]))
    return mix * real + (1 - mix) * fake


def around_real(real: Images, fake: Images, uniform: Images) -> Images:
    """Move every real image to x + .5 std(x) u: pixels raised by up to half the batch's spread."""
    flat = real.flatten(1)
    mean = row_sums(flat) / flat.shape[1]
    variance = row_sums((flat - mean[:, None]).square()) / (flat.shape[1] - 1)
    return real + PERTURBATION * variance.sqrt().reshape(-1, *(1 for _ in real.shape[1:])) * uniform


class _Drawn:
    """What is common to terms: the numbers they draw."""

    __slots__ = ()
    uniform_axes: int | None

    def uniform_shape(self, images: Sequence[int]) -> tuple[int, ...]:
        """The shape of the uniform numbers for one member's images `[batch, ...]`, without any if none."""
        return () if self.uniform_axes is None else tuple(images[: 1 + self.uniform_axes])


@dataclass(frozen=True, slots=True)
class Term(_Drawn):
    """A cost of the gradient: where that is taken, and what its square costs."""

    points: Callable[[Images, Images, Tensor], Images]
    """Of (real, fake, uniform numbers)."""
    cost: Callable[[PerExample], PerExample]
    uniform_axes: int | None = 0
    """How many axes of the images, besides the batch's, need a number of their own; None: no numbers."""

    def value(self, score: Score, real: Images, fake: Images, uniform: Tensor) -> PerExample:
        """The cost at every point."""
        return self.cost(squared_input_gradients(score, self.points(real, fake, uniform)))


@dataclass(frozen=True, slots=True)
class FreeTerm(_Drawn):
    """Any other cost of what the discriminator says, such as of its logits."""

    value: Callable[[Score, Images, Images, Tensor], PerExample]
    """Of (score, real, fake, uniform numbers); `score` takes as many images as a batch has."""
    uniform_axes: int | None = None
    """As a `Term`'s."""


EVERY_PIXEL = 3

GRADIENT_PENALTY = Term(between, one_centred)
"""(|grad D(x^)| - 1)^2 at mixes x^ of real and fake (Gulrajani 2017, eq. 3)."""
ZERO_CENTRED = Term(between, zero_centred)
"""|grad D(x^)|^2 at the same mixes (Thanh-Tung 2019)."""
R1 = Term(at_real, half_square, uniform_axes=None)
"""|grad D(x)|^2 / 2 at real images (Mescheder 2018, eq. 9): with the 1/2 that the paper has."""
R2 = Term(at_fake, half_square, uniform_axes=None)
"""|grad D(x)|^2 / 2 at generated images (Mescheder 2018, eq. 10)."""
DRAGAN = Term(around_real, one_centred, uniform_axes=EVERY_PIXEL)
"""(|grad D(x + d)| - 1)^2 near real images (Kodali 2017, algorithm 1)."""

TRIED = (2, 4, 1, 3, 3)
"""Members, batch and images that somebody's own penalty is tried with."""

PENALTIES: dict[str, tuple[Term, ...]] = {
    "none": (),
    "gradient-penalty": (GRADIENT_PENALTY,),
    "zero-centred-gradient-penalty": (ZERO_CENTRED,),
    "r1": (R1,),
    "r2": (R2,),
    "r1-r2": (R1, R2),
    "dragan": (DRAGAN,),
}


def find_penalty(name: str) -> tuple[Term | FreeTerm, ...]:
    """The terms of this name: the package's own, or `package.module:penalty`, which imports the module.

    Raises StabilityError in one line, where there is no such penalty or importing the module fails.
    """
    if name in PENALTIES:
        return PENALTIES[name]
    found = find_own(name)
    terms = found if isinstance(found, tuple) else (found,)
    if not terms or not all(isinstance(term, Term | FreeTerm) for term in terms):
        needed = "a Term or FreeTerm of stability.gan.training.penalties"
        raise StabilityError(f"{name}: is a {type(found).__name__}, not {needed}")
    return terms


def check_penalty(name: str) -> None:
    """Try a penalty that somebody brings on a few images and a small discriminator.

    Raises StabilityError in one line: it fails, gives other than one finite value for every example, mixes
    members, gives the discriminator's weights no gradient, or draws from torch's global stream.
    """
    rand = partial(torch.rand, generator=torch.Generator().manual_seed(0))
    real, fake, weights = rand(TRIED), rand(TRIED), rand(2, 1, *TRIED[2:]).requires_grad_()
    stream, fault = torch.get_rng_state(), ""
    for term in find_penalty(name):
        uniform = rand(2, *term.uniform_shape(TRIED[1:]))
        with errors_of_own_code(name):
            values = term.value(lambda x: (weights * x.square()).flatten(2).sum(2), real, fake, uniform)
            fault = fault or _fault(values, weights)
    if not fault and not torch.equal(stream, torch.get_rng_state()):
        fault = "draws from torch's global stream: no run could be repeated; uniform_axes asks for numbers"
    if fault:
        raise StabilityError(f"{name}: {fault}")


def _fault(values: Any, weights: Tensor) -> str:
    """What is wrong with the values of two members; nothing if empty."""
    if not isinstance(values, Tensor) or values.shape != TRIED[:2]:
        found = list(values.shape) if isinstance(values, Tensor) else type(values).__name__
        return f"gives {found} for images of {list(TRIED)}; one value for each is needed"
    if not values.requires_grad:
        return "gives the discriminator's weights no gradient"
    (gradient,) = torch.autograd.grad(values[0].sum(), weights)
    if not (values.isfinite().all() and gradient.isfinite().all()):
        return "is not finite, or its gradient is not"
    return "mixes members, which are the first axis" if gradient[1].any() else ""


def penalty(
    terms: Sequence[Term | FreeTerm], score: Score, real: Images, fake: Images, uniform: Sequence[Tensor]
) -> PerExample:
    """The sum of the terms for every example, to be multiplied by the penalty's weight.

    Args:
        terms: at least one.
        score: images -> logits `[members, batch]`, in training mode.
        real: what the discriminator sees of the real images.
        fake: the same of the generated ones.
        uniform: numbers on [0, 1), one tensor per term, `[members, *term.uniform_shape]`.

    """
    total: Tensor | None = None
    for term, numbers in zip(terms, uniform, strict=True):
        cost = term.value(score, real, fake, numbers)
        total = cost if total is None else total + cost
    assert total is not None
    return total

"""Penalties, weight clip and spectral norm against closed forms.

The discriminator is D(x) = a/2 |x|^2 with the one weight a > 0 per member, so grad D(x) = a x. What a penalty
costs, and its derivative in a, is then written down from the norm of the point it is taken at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from stability.gan.training.cohort import Cohort
from stability.gan.training.penalties import PENALTIES, penalty
from stability.gan.training.placement import Placement
from stability.gan.training.spectral import SpectralNorm
from stability.selftest.bench import Bench, small_run
from stability.selftest.check import Finding, Question, at_most, largest

MEMBERS, BATCH, IMAGE = 3, 4, (1, 2, 3)
WEIGHTS = (0.3, 1.0, 1.7)
TOLERANCE = 1e-5
"""Relative to the largest number, in float32."""
CLIP = 0.01

Array = Float[np.ndarray, "..."]
Cost = Callable[[Array, Array], tuple[Array, Array]]
"""(a, |x|) -> cost of a gradient of norm a |x|, and its derivative in a."""
Points = Callable[[Array, Array, Array], Array]
"""(real, fake, uniform numbers) -> points."""


def _one_centred(a: Array, length: Array) -> tuple[Array, Array]:
    return (a * length - 1) ** 2, 2 * (a * length - 1) * length


def _zero_centred(a: Array, length: Array) -> tuple[Array, Array]:
    return (a * length) ** 2, 2 * a * length**2


def _half(a: Array, length: Array) -> tuple[Array, Array]:
    return (a * length) ** 2 / 2, a * length**2


def _between(real: Array, fake: Array, u: Array) -> Array:
    share: Array = u[:, :, None, None, None]
    mixes: Array = share * real + (1 - share) * fake
    return mixes


def _near(real: Array, fake: Array, u: Array) -> Array:
    spread = np.array([member.std(ddof=1) for member in real])
    moved: Array = real + spread[:, None, None, None, None] / 2 * u
    return moved


def _at_real(real: Array, fake: Array, u: Array) -> Array:
    return real


def _at_fake(real: Array, fake: Array, u: Array) -> Array:
    return fake


PER_IMAGE, PER_PIXEL, NONE = (BATCH,), (BATCH, *IMAGE), ()
BY_HAND: Mapping[str, tuple[tuple[Points, Cost, tuple[int, ...]], ...]] = MappingProxyType(
    {
        "none": (),
        "gradient-penalty": ((_between, _one_centred, PER_IMAGE),),
        "zero-centred-gradient-penalty": ((_between, _zero_centred, PER_IMAGE),),
        "r1": ((_at_real, _half, NONE),),
        "r2": ((_at_fake, _half, NONE),),
        "r1-r2": ((_at_real, _half, NONE), (_at_fake, _half, NONE)),
        "dragan": ((_near, _one_centred, PER_PIXEL),),
    }
)
"""By name: where each term is taken, what it costs there, and the numbers it needs (a member's shape)."""


def _score(a: Tensor, images: Tensor) -> Tensor:
    return a[:, None] / 2 * images.flatten(2).square().sum(2)


def _by_hand(name: str, real: Tensor, fake: Tensor, uniform: list[Tensor]) -> tuple[Array, Array]:
    """The penalty of every example and its derivative in a, in double precision."""
    a = np.array(WEIGHTS)[:, None]
    x, y = real.double().numpy(), fake.double().numpy()
    value, slope = np.zeros((MEMBERS, BATCH)), np.zeros((MEMBERS, BATCH))
    for (points, cost, _), u in zip(BY_HAND[name], uniform, strict=True):
        length = np.sqrt((points(x, y, u.double().numpy()) ** 2).sum((2, 3, 4)))
        own, by_a = cost(a, length)
        value, slope = value + own, slope + by_a
    return value, slope


def quadratic(name: str, bench: Bench) -> Finding:
    """A penalty of every example and its derivatives in the weights, against the closed form."""
    generator = torch.Generator().manual_seed(3)
    real, fake = (torch.randn(MEMBERS, BATCH, *IMAGE, generator=generator) for _ in range(2))
    uniform = [torch.rand(MEMBERS, *shape, generator=generator) for _, _, shape in BY_HAND[name]]
    if not BY_HAND[name]:
        return Finding(
            "no terms",
            f"{len(PENALTIES[name])} terms" if PENALTIES[name] else "no terms",
            not PENALTIES[name],
        )
    a = torch.tensor(WEIGHTS, device=bench.device, requires_grad=True)
    placed = [tensor.to(bench.device) for tensor in (real, fake, *uniform)]
    values = penalty(PENALTIES[name], lambda x: _score(a, x), placed[0], placed[1], placed[2:])
    slopes = torch.stack(
        [torch.autograd.grad(values[:, i].sum(), a, retain_graph=True)[0] for i in range(BATCH)], 1
    )
    differences = [
        float(np.abs(found.detach().cpu().double().numpy() - wanted).max() / np.abs(wanted).max())
        for found, wanted in zip((values, slopes), _by_hand(name, real, fake, uniform), strict=True)
    ]
    return at_most(largest(differences), TOLERANCE)


def weight_clip(bench: Bench) -> Finding:
    """After a step, no weight of a clipped discriminator is outside; an unclipped member's are."""
    runs = [small_run(seed, loss="wasserstein", weight_clip=clip) for seed, clip in enumerate((CLIP, None))]
    cohort = Cohort(runs, bench.few_images, Placement(bench.device))
    for _ in cohort.train(1, record_every=1):
        pass
    weights = {name: tensor.abs() for name, tensor in cohort.state().items()}
    clipped, free = (
        max(float(tensor[k].max()) for name, tensor in weights.items() if name.startswith("discriminator/"))
        for k in range(2)
    )
    generator = max(
        float(tensor[0].max()) for name, tensor in weights.items() if name.startswith("generator/")
    )
    passed = abs(clipped - CLIP) <= 1e-8 and free > 2 * CLIP and generator > 2 * CLIP
    return Finding(
        f"{CLIP:g}; others above {2 * CLIP:g}", f"{clipped:.3g}; {free:.2g}, {generator:.2g}", passed
    )


def _normalised(bench: Bench) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights of a linear and a convolutional layer, and the same after many power iterations."""
    generator = torch.Generator().manual_seed(4)
    shapes = {"linear": (MEMBERS, 9, 6), "kernel": (MEMBERS, 5, 2, 3, 3)}
    leaves = {
        name: torch.randn(*shape, generator=generator).to(bench.device).requires_grad_()
        for name, shape in shapes.items()
    }
    starts = {name: torch.randn(leaf.shape[:2], generator=generator) for name, leaf in leaves.items()}
    norm = SpectralNorm({name: start.to(bench.device) for name, start in starts.items()})
    norm.iterate(leaves, times=300)
    return leaves, norm(leaves)


def spectral_norm(bench: Bench) -> Finding:
    """Normalised weights against those divided by numpy's largest singular value."""
    leaves, found = _normalised(bench)
    differences = []
    for name, leaf in leaves.items():
        weights = leaf.detach().cpu().double().numpy()
        for k in range(MEMBERS):
            sigma = np.linalg.svd(weights[k].reshape(weights.shape[1], -1), compute_uv=False)[0]
            mine = found[name][k].detach().cpu().double().numpy()
            differences.append(float(np.abs(mine - weights[k] / sigma).max()))
    return at_most(largest(differences), TOLERANCE)


def spectral_slope(bench: Bench) -> Finding:
    """Derivative of <C, W / sigma> in W: C / sigma - <C, W> u v' / sigma^2, by numpy's singular vectors."""
    leaves, found = _normalised(bench)
    differences = []
    for name, leaf in leaves.items():
        direction = torch.randn(leaf.shape, generator=torch.Generator().manual_seed(5))
        (slope,) = torch.autograd.grad((found[name] * direction.to(bench.device)).sum(), leaf)
        for k in range(MEMBERS):
            matrix, c, mine = (
                tensor[k].detach().cpu().double().numpy().reshape(tensor.shape[1], -1)
                for tensor in (leaf, direction, slope)
            )
            u, sigma, v = np.linalg.svd(matrix, full_matrices=False)
            wanted = c / sigma[0] - (c * matrix).sum() / sigma[0] ** 2 * np.outer(u[:, 0], v[0])
            differences.append(float(np.abs(mine - wanted).max()))
    return at_most(largest(differences), 1e-4)


QUESTIONS = (
    *(Question(f"penalty {name}: value and derivative", partial(quadratic, name)) for name in BY_HAND),
    Question("weight clip bounds the discriminator alone", weight_clip),
    Question("spectral norm = division by numpy's singular value", spectral_norm),
    Question("spectral norm: derivative", spectral_slope),
)

"""Metrics of the user's own: one number each, of generated images and of real ones beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from stability.errors import StabilityError
from stability.vocabulary.metrics import OWN_PREFIX
from stability.vocabulary.own_code import errors_of_own_code, find_own

Images = Float[Tensor, "n c h w"]
OwnMetric = Callable[[Tensor, Tensor], Tensor | float]
"""Of generated images and as many held-out real ones, both `[n, c, h, w]` in -1..1, or points."""

TRIED = 16
"""Images of each kind that a metric is tried on."""


def find_metrics(names: Iterable[str]) -> dict[str, OwnMetric]:
    """By their attributes' names, metrics that are named `package.module:metric`; this imports the modules.

    Raises StabilityError in one line, where there is no such thing, or nothing that can be called.
    """
    found = {name: find_own(name) for name in names}
    for name, metric in found.items():
        if not callable(metric):
            raise StabilityError(f"{name}: is a {type(metric).__name__}, not a function of (images, real)")
    return {name.partition(":")[2]: metric for name, metric in found.items()}


def measured(metrics: Mapping[str, OwnMetric], images: Images, real: Images) -> dict[str, float]:
    """What the metrics say, by the names of their columns.

    Raises StabilityError in one line, where one fails or gives something else than a number.
    """
    return {f"{OWN_PREFIX}{name}": _number(name, metric, images, real) for name, metric in metrics.items()}


def check_metric(name: str, real: Images) -> None:
    """Try a metric on noise beside real images in -1..1, or points.

    Raises StabilityError in one line: it fails, gives something else than a number, changes the images that
    it is given, or draws from torch's global stream.
    """
    real = real[:TRIED].float()
    noise = 2 * torch.rand(real.shape, generator=torch.Generator().manual_seed(0)).to(real.device) - 1
    given, stream = (noise.clone(), real.clone()), torch.get_rng_state()
    for metric in find_metrics([name]).values():
        _number(name, metric, *given)
    if not (torch.equal(given[0], noise) and torch.equal(given[1], real)):
        raise StabilityError(f"{name}: changes the images that it is given")
    if not torch.equal(stream, torch.get_rng_state()):
        raise StabilityError(f"{name}: draws from torch's global stream: no run could be repeated")


@torch.no_grad()
def _number(name: str, metric: OwnMetric, images: Images, real: Images) -> float:
    with errors_of_own_code(f"metric {name}"):
        value = metric(images, real)
        if not isinstance(value, int | float) and getattr(value, "numel", lambda: 0)() != 1:
            raise StabilityError(f"metric {name}: gives a {type(value).__name__}, not one number")
        return float(value)

"""Whether a study's networks and sizes fit its data, found out before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stability.errors import StabilityError
from stability.gan.data import Dataset
from stability.gan.networks import ImageShape, check_pair
from stability.gan.placement import Placement
from stability.spec import Choice, Range, StudySpec, make_config
from stability.spec.config import is_own_architecture


def check_code_allowed(spec: StudySpec, *, allowed: bool) -> None:
    """Refuse to import a user's own networks unasked: a study file may come from somebody else.

    Raises StabilityError naming the code.
    """
    own = own_architectures(spec)
    if own and not allowed:
        raise StabilityError(
            f"architecture: {own[0]} is code that would be imported and run; if you trust it, "
            "add --allow-code"
        )


def check_fit(spec: StudySpec, dataset: Dataset) -> None:
    """Try the user's own networks on the data, and look whether there are as many images as asked for.

    Raises StabilityError in one line.
    """
    image = ImageShape(dataset.channels, dataset.image_size, int(dataset.train_labels.max()) + 1)
    placement = Placement(dataset.train.device)
    for name in own_architectures(spec):
        config = make_config({**_fixed(spec), "architecture": name})
        check_pair(config, image, fused=placement.fused(config))
    total = len(dataset.train)
    for size in _largest(spec, "train_size"):
        if size > total:
            raise StabilityError(f"train_size: {size}: {dataset.name} has {total:,} training examples")


def own_architectures(spec: StudySpec) -> tuple[str, ...]:
    """The architectures of the study that are the user's own code."""
    return tuple(name for name in _values(spec, "architecture") if is_own_architecture(name))


def _values(spec: StudySpec, parameter: str) -> tuple[Any, ...]:
    """What a parameter that is fixed or a choice can be."""
    factor = spec.space.get(parameter)
    if isinstance(factor, Choice):
        return factor.values
    return (spec.fixed[parameter],) if parameter in spec.fixed else ()


def _largest(spec: StudySpec, parameter: str) -> Iterator[int]:
    factor = spec.space.get(parameter)
    sizes = (int(factor.high),) if isinstance(factor, Range) else _values(spec, parameter)
    return (size for size in sizes if size is not None)


def _fixed(spec: StudySpec) -> dict[str, Any]:
    """The fixed parameters, and of every list its first value."""
    first = {name: factor.values[0] for name, factor in spec.space.items() if isinstance(factor, Choice)}
    return {**spec.fixed, **first}

"""Whether a study's networks and sizes fit its data, found out before anything is trained."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from stability.errors import StabilityError
from stability.gan.data import Dataset
from stability.gan.networks import ImageShape, check_pair
from stability.gan.placement import Placement
from stability.spec import Choice, Range, StudySpec, make_config
from stability.spec.config import Config, is_own_architecture
from stability.spec.study import CONFIGURATION, VARIANT

STRUCTURAL = (
    "activation",
    "batchnorm",
    "dropout",
    "latent_dim",
    "packing",
    "width",
)
"""The parameters that a builder of networks reads, or that change the shapes it is handed."""


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
    for config in _own_structures(spec):
        check_pair(config, image, fused=placement.fused(config))
    total = len(dataset.train)
    for size in _largest(spec, "train_size"):
        if size > total:
            raise StabilityError(f"train_size: {size}: {dataset.name} has {total:,} training examples")
    for packing in _largest(spec, "packing"):
        if packing > len(dataset.test):
            raise StabilityError(
                f"packing: {packing}: {dataset.name} has {len(dataset.test)} held-out examples"
            )


def own_architectures(spec: StudySpec) -> tuple[str, ...]:
    """The architectures of the study that are the user's own code."""
    return tuple(name for name in _values(spec, "architecture") if is_own_architecture(name))


def _values(spec: StudySpec, parameter: str) -> tuple[Any, ...]:
    """What a parameter can be where it has a list, or single values."""
    factor = spec.space.get(parameter)
    listed = factor.values if isinstance(factor, Choice) else ()
    named = (values[parameter] for values in spec.settings.values() if parameter in values)
    return tuple(dict.fromkeys([*listed, *named]))


def _largest(spec: StudySpec, parameter: str) -> Iterator[int]:
    factor = spec.space.get(parameter)
    drawn = (int(factor.high),) if isinstance(factor, Range) else ()
    return (size for size in (*drawn, *_values(spec, parameter)) if size is not None)


def _own_structures(spec: StudySpec) -> list[Config]:
    """A configuration of every structure that the user's own networks are asked to have.

    Of numbers the smallest and the largest: what a builder makes of them may differ (dropout of 0, or more),
    and a long list would take as long to try as to train.
    """
    names = ("architecture", CONFIGURATION, VARIANT, *STRUCTURAL)
    factors = {name: factor for name, factor in sorted(spec.factors.items()) if name in names}
    configs = (
        make_config(spec.values_at(dict(zip(factors, values, strict=True))))
        for values in itertools.product(*map(_extremes, factors.values()))
    )
    own = (config for config in configs if is_own_architecture(config.architecture))
    read = ("architecture", *STRUCTURAL)
    return list({tuple(getattr(config, name) for name in read): config for config in own}.values())


def _extremes(factor: Range | Choice) -> tuple[Any, ...]:
    """The words of a list, or the smallest and the largest of its numbers or of a range."""
    values = factor.values if isinstance(factor, Choice) else (factor.low, factor.high)
    if all(isinstance(value, str) for value in values):
        return values
    ends = {min(values), max(values)}
    is_whole = isinstance(factor, Range) and factor.integer
    return tuple(round(end) if is_whole else end for end in sorted(ends))

"""Whether a study's networks and sizes fit its data, found out before anything is trained."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from stability.errors import StabilityError
from stability.gan.data.datasets import Dataset, to_unit
from stability.gan.losses import check_loss
from stability.gan.metrics.own import TRIED, check_metric
from stability.gan.networks import ImageShape, check_pair
from stability.gan.training.penalties import check_penalty
from stability.gan.training.placement import Placement
from stability.spec import Choice, Range, StudySpec, make_config, relations
from stability.spec.config import Config, is_own_code
from stability.spec.problems import dotted
from stability.spec.study import CONFIGURATION, VARIANT

STRUCTURAL = (
    "activation",
    "activation_g",
    "batchnorm",
    "dropout",
    "dropout_g",
    "latent_dim",
    "minibatch_std",
    "norm_d",
    "norm_g",
    "packing",
    "width",
    "width_d",
    "width_g",
)
"""The parameters that a builder of networks reads, or that change the shapes it is handed."""


def check_code_allowed(spec: StudySpec, *, allowed: bool) -> None:
    """Refuse to import a user's own code unasked: a study file may come from somebody else.

    Raises StabilityError naming the code.
    """
    for problem in () if allowed else relations.code_problems(spec):
        raise StabilityError(f"{dotted(problem.path)}: {problem.message}")


def check_fit(spec: StudySpec, dataset: Dataset) -> None:
    """Try what is the user's own, and look whether there are as many images as asked for.

    Raises StabilityError in one line.
    """
    image = ImageShape(dataset.channels, dataset.image_size, int(dataset.train_labels.max()) + 1)
    placement = Placement(dataset.train.device)
    for name in _own(spec, "loss"):
        check_loss(name)
    for name in _own(spec, "penalty"):
        check_penalty(name)
    for name in spec.recording.metrics:
        check_metric(name, to_unit(dataset.test[:TRIED]))
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


def own_code(spec: StudySpec) -> tuple[str, ...]:
    """What of the study is the user's own code."""
    return _own(spec)


def _own(spec: StudySpec, parameter: str | None = None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for _, name in relations.own_code(spec, parameter)))


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
    own = (config for config in configs if is_own_code(config.architecture))
    read = ("architecture", *STRUCTURAL)
    return list({tuple(getattr(config, name) for name in read): config for config in own}.values())


def _extremes(factor: Range | Choice) -> tuple[Any, ...]:
    """The words of a list, or the smallest and the largest of its numbers or of a range; and its null."""
    values = factor.values if isinstance(factor, Choice) else (factor.low, factor.high)
    numbers = [value for value in values if isinstance(value, int | float)]
    if not numbers:
        return values
    is_whole = isinstance(factor, Range) and factor.integer
    ends = [round(end) if is_whole else end for end in sorted({min(numbers), max(numbers)})]
    return (*ends, *(value for value in values if value is None))

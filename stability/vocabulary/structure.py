"""Which runs can train in one cohort. Works without torch."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from stability.vocabulary.losses import traits_of

EQUAL = (
    "architecture",
    "latent_dim",
    "latent",
    "batch_size",
    "packing",
    "spectral_norm",
    "input_range",
    "n_dis",
    "n_gen",
    "penalty",
    "minibatch_std",
    "input_range_real",
    "replay_batches",
)
"""The parameters that are equal within a cohort, ..."""
EQUAL_OF_NETWORKS = ("width", "norm", "activation", "optimizer")
"""... those of either network that are, ..."""
PRESENT = (
    "instance_noise",
    "label_smoothing",
    "label_smoothing_fake",
    "label_noise",
    "label_flip",
    "replay",
    "ema_decay",
    "accuracy_bar",
)
PRESENT_OF_NETWORKS = ("dropout", "weight_decay")
"""... and those that all of its members use or none does; all others may differ per member."""


class Parameters(Protocol):
    """A run's configuration; the tables above name what is read of it beside these."""

    @property
    def loss(self) -> str:
        """By name."""
        ...

    @property
    def networks(self) -> tuple[object, object]:
        """The settings of generator and discriminator."""
        ...


def structure_key(config: Parameters) -> tuple[Hashable, ...]:
    """What must be equal for runs to train in one cohort; everything else may differ per member."""
    networks = config.networks
    equal = [getattr(config, name) for name in EQUAL]
    equal += [getattr(network, name) for network in networks for name in EQUAL_OF_NETWORKS]
    present = [bool(getattr(config, name)) for name in PRESENT]
    present += [bool(getattr(network, name)) for network in networks for name in PRESENT_OF_NETWORKS]
    return (*equal, *present, traits_of(config.loss).paired)

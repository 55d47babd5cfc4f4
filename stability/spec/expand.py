"""From the values that a study names to the full configuration of a run, and what is doubtful about one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stability.spec.config import ADAMS, RECIPES, Config, is_own_code
from stability.vocabulary.losses import ALPHA_LOSSES, CROSS_ENTROPIES, LABELLED_LOSSES


def make_config(values: Mapping[str, Any]) -> Config:
    """Merge defaults < recipe < values, by name of parameter; `loss` may name a recipe.

    Raises pydantic's `ValidationError` for values that no loaded study can hold.
    """
    recipe = values.get("loss")
    if recipe not in RECIPES:
        return Config(**values)
    explicit = {name: value for name, value in values.items() if name != "loss"}
    return Config(**{**RECIPES[recipe], **explicit, "recipe": recipe})


def doubts(config: Config) -> tuple[str, ...]:
    """What is doubtful about a configuration, in plain words; such a run is trained all the same."""
    return tuple(words for words, is_doubtful in DOUBTS.items() if is_doubtful(config))


def _is_penalised(config: Config) -> bool:
    return config.penalty != "none" and config.penalty_weight > 0


def _has_gradient_penalty(config: Config) -> bool:
    """Of one of somebody's own nobody knows."""
    return _is_penalised(config) and not is_own_code(config.penalty)


DOUBTS: dict[str, Callable[[Config], bool]] = {
    "gradient penalty with batchnorm in the discriminator: "
    "the penalty is on each image's own gradient, batchnorm mixes the images of a batch": lambda config: (
        _has_gradient_penalty(config) and config.discriminator.norm == "batch"
    ),
    "gradient penalty with dropout: its gradient is of another network each time": lambda config: (
        _has_gradient_penalty(config) and config.dropout > 0
    ),
    "gradient penalty together with weight_clip: two bounds on the discriminator at once": lambda config: (
        _has_gradient_penalty(config) and config.weight_clip is not None
    ),
    "spectral_norm together with weight_clip: a clipped weight's scale has no effect": lambda config: (
        config.spectral_norm and config.weight_clip is not None
    ),
    "spectral_norm with batchnorm in the discriminator: "
    "batchnorm undoes the bound on the layer before it": lambda config: (
        config.spectral_norm and config.discriminator.norm == "batch"
    ),
    "wasserstein without weight_clip, penalty or spectral_norm: nothing bounds the discriminator": (
        lambda config: (
            config.loss == "wasserstein"
            and config.weight_clip is None
            and not config.spectral_norm
            and not _is_penalised(config)
        )
    ),
    "a penalty of weight 0 is no penalty": lambda config: (
        config.penalty != "none" and config.penalty_weight == 0
    ),
    "label_smoothing has no effect: this loss has no targets": lambda config: (
        config.label_smoothing > 0 and config.loss not in LABELLED_LOSSES
    ),
    "label_smoothing_fake has no effect: this loss has no targets": lambda config: (
        config.label_smoothing_fake > 0 and config.loss not in LABELLED_LOSSES
    ),
    "label_noise has no effect: this loss has no targets": lambda config: (
        config.label_noise > 0 and config.loss not in LABELLED_LOSSES
    ),
    "label_smoothing_fake: a discriminator whose fakes have a target above 0 "
    "keeps the generator where data are rare (Salimans 2016, section 3.4)": lambda config: (
        config.label_smoothing_fake > 0 and config.loss in LABELLED_LOSSES
    ),
    "label_noise takes targets beyond 0 and 1, where a cross-entropy has no least value": lambda config: (
        config.loss in CROSS_ENTROPIES
        and config.label_noise > min(config.label_smoothing, config.label_smoothing_fake)
    ),
    "warmup_steps is decay_steps or more: the learning rates fall while they still grow": lambda config: (
        config.decay_steps is not None
        and config.warmup_steps >= config.decay_steps
        and any(network.lr_schedule != "constant" for network in config.networks)
    ),
    "lr_schedule of one network alone: the ratio of the two learning rates changes": lambda config: (
        config.generator.lr_schedule != config.discriminator.lr_schedule
    ),
    "alpha_d and alpha_g have no effect on this loss": lambda config: (
        (config.alpha_d, config.alpha_g) != (1.0, 1.0) and config.loss not in ALPHA_LOSSES
    ),
    "label_flip of .5 or more: labels say nothing, or the contrary": lambda config: config.label_flip >= 0.5,
    "gradient penalty with minibatch_std: the penalty is on each image's own gradient, "
    "minibatch_std mixes the images of a batch": lambda config: (
        _has_gradient_penalty(config) and config.minibatch_std
    ),
    "input_range_real is not the range of the fakes: the discriminator can tell them by their scale": (
        lambda config: config.input_range_real not in (None, config.input_range)
    ),
    "momentum has no effect on adam, which has beta1": lambda config: any(
        network.momentum > 0 and network.optimizer in ADAMS for network in config.networks
    ),
    "adamw without weight_decay is adam": lambda config: any(
        network.optimizer == "adamw" and network.weight_decay == 0 for network in config.networks
    ),
    "sgd's updates have no scale of their own: "
    "set outcomes.saturated_update for it, or saturated only says that separation is high": lambda config: (
        any(network.optimizer == "sgd" for network in config.networks)
    ),
    "images of 0 to 255 are not normalised: the discriminator's inputs are 100 times too large": (
        lambda config: config.input_range == "bytes"
    ),
    "accuracy_bar with n_dis above 1: the discriminator is sped up and held back at once": lambda config: (
        config.accuracy_bar is not None and config.n_dis > 1
    ),
    "n_dis and n_gen both above 1: a step holds several updates of both networks": lambda config: (
        config.n_dis > 1 and config.n_gen > 1
    ),
}

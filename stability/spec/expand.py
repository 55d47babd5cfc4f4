"""From the values that a study names to the full configuration of a run, and what is doubtful about one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stability.spec.config import RECIPES, Config


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


DOUBTS: dict[str, Callable[[Config], bool]] = {
    "gradient penalty with batchnorm in the discriminator: "
    "the penalty is on each image's own gradient, batchnorm mixes the images of a batch": lambda config: (
        _is_penalised(config) and config.batchnorm in ("discriminator", "both")
    ),
    "gradient penalty with dropout: its gradient is of another network each time": lambda config: (
        _is_penalised(config) and config.dropout > 0
    ),
    "gradient penalty together with weight_clip: two bounds on the discriminator at once": lambda config: (
        _is_penalised(config) and config.weight_clip is not None
    ),
    "wasserstein without weight_clip or penalty: nothing bounds the discriminator": lambda config: (
        config.loss == "wasserstein" and config.weight_clip is None and not _is_penalised(config)
    ),
    "a penalty of weight 0 is no penalty": lambda config: (
        config.penalty != "none" and config.penalty_weight == 0
    ),
}

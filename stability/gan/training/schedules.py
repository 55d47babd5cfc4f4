"""What changes as members train, as functions of the step alone: learning rates, noise, label smoothing.

May not import store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from stability.errors import StabilityError
from stability.spec.config import Config, NetworkSettings, Schedule

SCHEDULES: dict[Schedule, Callable[[int, int, float], float]] = {
    "constant": lambda step, length, decay: 1.0,
    "linear": lambda step, length, decay: max(0.0, 1 - step / length),
    "step": lambda step, length, decay: decay ** (step // length),
    "cosine": lambda step, length, decay: (1 + math.cos(math.pi * min(1.0, step / length))) / 2,
}
"""(steps that are over, decay_steps, lr_decay) -> what the learning rate is multiplied by."""


def learning_rate(config: Config, network: NetworkSettings, step: int) -> float:
    """A network's learning rate in the step after `step` ones.

    Raises StabilityError where a schedule needs `decay_steps` and has none.
    """
    if network.lr_schedule != "constant" and config.decay_steps is None:
        raise StabilityError(f"lr_schedule: {network.lr_schedule} needs decay_steps")
    factor = SCHEDULES[network.lr_schedule](step, config.decay_steps or 1, config.lr_decay)
    warm = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    return network.lr * (warm * factor)


def fading(value: float, steps: int | None, step: int) -> float:
    """A value that falls evenly to 0 over so many steps, after `step` ones; itself where there are none."""
    return value if steps is None else value * max(0.0, 1 - step / steps)


class Schedules:
    """Those of a cohort's members, and which of them change at all."""

    def __init__(self, configs: Sequence[Config]) -> None:
        self._configs = configs
        self.rates_change = any(
            config.warmup_steps or any(own.lr_schedule != "constant" for own in config.networks)
            for config in configs
        )
        self.noise_fades = any(own.instance_noise and own.instance_noise_steps for own in configs)
        self.smoothing_fades = any(own.label_smoothing_steps for own in configs)

    def rates_g(self, step: int) -> list[float]:
        """The generators' learning rates after so many steps."""
        return [learning_rate(config, config.generator, step) for config in self._configs]

    def rates_d(self, step: int) -> list[float]:
        """The discriminators'."""
        return [learning_rate(config, config.discriminator, step) for config in self._configs]

    def noise(self, step: int) -> list[float]:
        """The standard deviations of the instance noise."""
        return [fading(own.instance_noise, own.instance_noise_steps, step) for own in self._configs]

    def smoothing(self, step: int) -> list[float]:
        """How far the targets of real examples lie below 1."""
        return [fading(own.label_smoothing, own.label_smoothing_steps, step) for own in self._configs]

    def smoothing_fake(self, step: int) -> list[float]:
        """How far the targets of fake examples lie above 0."""
        return [fading(own.label_smoothing_fake, own.label_smoothing_steps, step) for own in self._configs]

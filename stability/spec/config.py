"""What one run trains: every hyperparameter with its limits, and the recipes that set several at once.

This module is the single list of parameters: the study file accepts these names, within these limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Architecture = Literal["mlp", "dcgan"]
Loss = Literal["minimax", "non-saturating", "least-squares", "hinge", "wasserstein"]
Penalty = Literal["none", "gradient-penalty"]
BatchNorm = Literal["none", "generator", "discriminator", "both"]

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Momentum = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


class Config(BaseModel):
    """The full configuration of one run; `lr` is the geometric mean of the two learning rates."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    architecture: Architecture = "mlp"
    loss: Loss = "non-saturating"
    recipe: str | None = None
    """The recipe that `loss` was named by, if it was."""
    lr: Positive = 2e-4
    lr_ratio: Positive = 1.0
    """lr_d / lr_g."""
    beta1: Momentum = 0.5
    beta2: Momentum = 0.999
    batchnorm: BatchNorm = "generator"
    penalty: Penalty = "none"
    penalty_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 10.0
    weight_clip: Positive | None = None
    """Discriminator weights are clamped to [-weight_clip, weight_clip] after each of its steps."""
    n_dis: Annotated[int, Field(ge=1, le=100)] = 1
    """Discriminator steps per generator step."""
    batch_size: Annotated[int, Field(ge=2, le=4096)] = 64
    latent_dim: Annotated[int, Field(ge=1, le=4096)] = 100
    width: Annotated[int, Field(ge=8, le=4096)] = 64
    """mlp: hidden layers of 1, 2, 4, 8 times it in the generator, of 8, 4, 2 times in the discriminator;
    dcgan: maps at the finest grid, twice as many at each coarser one."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout in the discriminator's hidden layers."""

    @property
    def lr_d(self) -> float:
        """The discriminator's learning rate, lr sqrt(lr_ratio)."""
        return float(self.lr * self.lr_ratio**0.5)

    @property
    def lr_g(self) -> float:
        """The generator's learning rate, lr / sqrt(lr_ratio)."""
        return float(self.lr / self.lr_ratio**0.5)


PARAMETERS: tuple[str, ...] = tuple(name for name in Config.model_fields if name != "recipe")

RECIPES: dict[str, dict[str, Any]] = {
    "wgan-clip": {"loss": "wasserstein", "weight_clip": 0.01, "n_dis": 5},
    "wgan-gp": {"loss": "wasserstein", "penalty": "gradient-penalty", "penalty_weight": 10.0, "n_dis": 5},
}
"""A recipe stands where a loss does. It never sets the optimiser or a learning rate, which would
confound the comparison; what the study file sets itself wins over the recipe."""


@dataclass(frozen=True, slots=True)
class Run:
    """One planned run: a trial (a point at one level of every crossed factor) with one seed."""

    run: str
    """Its name, unique in the study, such as `p003-mlp-hinge-s1`."""
    point: int
    trial: str
    replicate: int
    seed: int
    """Derived from (study seed, point, replicate), so equal under every crossed level."""
    config: Config
    levels: dict[str, Any]
    """What was sampled or crossed, as the study file names it (a recipe by its own name)."""
    adaptive: bool = False
    """Chosen in the light of earlier results; such a run never enters a rate."""

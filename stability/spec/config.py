"""What one run trains: every hyperparameter with its limits, and the recipes that set several at once.

This module is the single list of parameters: the study file accepts these names, within these limits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

ARCHITECTURE_NAMES = (
    "mlp",
    "dcgan",
    "conditional",
    "unpool",
    "fully-connected",
    "maxout",
    "dirac",
)
IMAGE_ARCHITECTURES = ("dcgan", "conditional", "unpool", "fully-connected")
"""These cannot be trained on points ..."""
POINT_ARCHITECTURES = ("maxout", "dirac")
"""... and these only on points; mlp takes both."""
OWN_ARCHITECTURE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
"""A pair of networks of the user's own, `package.module:pair`; naming one imports code."""
MAX_OWN_NAME = 120

Loss = Literal["minimax", "non-saturating", "least-squares", "hinge", "wasserstein", "relativistic"]
Penalty = Literal["none", "gradient-penalty", "zero-centred-gradient-penalty", "r1", "r2", "r1-r2", "dragan"]
BatchNorm = Literal["none", "generator", "discriminator", "both"]
Optimizer = Literal["adam", "rmsprop", "sgd"]
Latent = Literal["normal", "uniform"]
Activation = Literal["leaky-relu", "relu", "elu", "gelu", "tanh"]
InputRange = Literal["symmetric", "unit", "bytes"]

MAX_NUMBER = 1e30
"""So that what is made of two such numbers, such as a learning rate and a ratio, is finite."""
Positive = Annotated[float, Field(gt=0, le=MAX_NUMBER, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, le=MAX_NUMBER, allow_inf_nan=False)]
Quotient = Annotated[float, Field(ge=1e-30, le=MAX_NUMBER, allow_inf_nan=False)]
Momentum = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Steps = Annotated[int, Field(ge=1, le=100)]


def is_own_architecture(name: str) -> bool:
    """Whether an architecture is the user's own code, `package.module:pair`."""
    return len(name) <= MAX_OWN_NAME and OWN_ARCHITECTURE.fullmatch(name) is not None


def _known_architecture(name: str) -> str:
    if name not in ARCHITECTURE_NAMES and not is_own_architecture(name):
        raise ValueError(f"no architecture {name!r}")
    return name


Architecture = Annotated[
    str,
    AfterValidator(_known_architecture),
    Field(json_schema_extra={"enum": [*ARCHITECTURE_NAMES, "package.module:pair"]}),
]


class Config(BaseModel):
    """The full configuration of one run; `lr` is the geometric mean of the two learning rates."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    architecture: Architecture = "mlp"
    loss: Loss = "non-saturating"
    recipe: str | None = None
    """The recipe that `loss` was named by, if it was."""
    lr: Positive = 2e-4
    lr_ratio: Quotient = 1.0
    """lr_d / lr_g."""
    beta1: Momentum = 0.5
    beta2: Momentum = 0.999
    batchnorm: BatchNorm = "generator"
    optimizer: Optimizer = "adam"
    """`beta1` and `beta2` are Adam's alone, `momentum` is the others'; RMSprop's decay is torch's .99."""
    momentum: Momentum = 0.0
    penalty: Penalty = "none"
    penalty_weight: NotNegative = 10.0
    weight_clip: Positive | None = None
    """Discriminator weights are clamped to [-weight_clip, weight_clip] after each of its steps."""
    spectral_norm: bool = False
    """Every weight of the discriminator is divided by its largest singular value."""
    n_dis: Steps = 1
    """Discriminator updates per step."""
    n_gen: Steps = 1
    """Generator updates per step."""
    accuracy_bar: Annotated[float, Field(ge=0.5, lt=1)] | None = None
    """The discriminator skips its update while its accuracy on the batch is above this."""
    batch_size: Annotated[int, Field(ge=2, le=4096)] = 64
    """Examples a discriminator update sees of either kind; an example is a pack of `packing` images."""
    packing: Annotated[int, Field(ge=1, le=16)] = 1
    """Images that the discriminator judges together, joined as channels (PacGAN)."""
    latent_dim: Annotated[int, Field(ge=1, le=4096)] = 100
    latent: Latent = "normal"
    """z is standard normal, or uniform on [-1, 1)."""
    width: Annotated[int, Field(ge=8, le=4096)] = 64
    """mlp: hidden layers of 1, 2, 4, 8 times it in the generator, of 8, 4, 2 times in the discriminator;
    dcgan, conditional, unpool: maps at the finest grid, twice as many at each coarser one."""
    activation: Activation = "leaky-relu"
    """Of the discriminator's hidden layers (maxout and dirac have their own)."""
    dropout: Momentum = 0.0
    """Dropout in the discriminator's hidden layers."""
    instance_noise: NotNegative = 0.0
    """Standard deviation of the normal noise on all that the discriminator is trained with."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """One-sided: the discriminator's target for real images is 1 - label_smoothing."""
    ema_decay: Momentum = 0.0
    """Above 0, metrics and pictures are of an exponential moving average of the generator's weights."""
    input_range: InputRange = "symmetric"
    """The range of the images, real and generated, that the discriminator sees:
    -1..1, 0..1 or 0..255. The generator's output is stretched to it."""
    train_size: Annotated[int, Field(ge=2, le=1_000_000_000)] | None = None
    """Train on this many of the training images: the same ones in every run."""

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
    "dragan": {"loss": "non-saturating", "penalty": "dragan", "penalty_weight": 10.0},
    "non-saturating-r1": {"loss": "non-saturating", "penalty": "r1", "penalty_weight": 10.0},
    "sngan": {"loss": "hinge", "spectral_norm": True},
    "r3gan": {"loss": "relativistic", "penalty": "r1-r2", "penalty_weight": 1.0},
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
    """What was sampled or crossed, as the study file names it (a recipe by its own name); `variant` and
    `configuration` are names. What a variant sets of the sampled parameters is in `config` alone."""
    adaptive: bool = False
    """Chosen in the light of earlier results; such a run never enters a rate."""

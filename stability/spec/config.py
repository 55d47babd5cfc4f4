"""What one run trains: every hyperparameter with its limits, and the recipes that set several at once.

This module is the single list of parameters: the study file accepts these names, within these limits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from stability.vocabulary.losses import LOSS_NAMES
from stability.vocabulary.own_code import registered

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
DENSE_ARCHITECTURES = ("mlp", "fully-connected", "maxout")
"""Their layers hold features, not maps."""
PENALTY_NAMES = ("none", "gradient-penalty", "zero-centred-gradient-penalty", "r1", "r2", "r1-r2", "dragan")
OWN_CODE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
"""Something of the user's own, `package.module:name`; naming it imports code."""
MAX_OWN_NAME = 120

BatchNorm = Literal["none", "generator", "discriminator", "both"]
Norm = Literal["none", "batch", "layer", "instance"]
Optimizer = Literal["adam", "adamw", "optimistic-adam", "rmsprop", "sgd"]
ADAMS: tuple[Optimizer, ...] = ("adam", "adamw", "optimistic-adam")
"""The optimisers that read betas; the others read a momentum."""
Latent = Literal["normal", "uniform", "sphere"]
Schedule = Literal["constant", "linear", "step", "cosine"]
Init = Literal["dcgan", "default", "orthogonal", "xavier"]
Activation = Literal["leaky-relu", "relu", "elu", "gelu", "tanh"]
InputRange = Literal["symmetric", "unit", "bytes"]

MAX_NUMBER = 1e30
"""So that what is made of two such numbers, such as a learning rate and a ratio, is finite."""
Positive = Annotated[float, Field(gt=0, le=MAX_NUMBER, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, le=MAX_NUMBER, allow_inf_nan=False)]
Quotient = Annotated[float, Field(ge=1e-30, le=MAX_NUMBER, allow_inf_nan=False)]
Momentum = Annotated[float, Field(ge=0, lt=1)]
Width = Annotated[int, Field(ge=8, le=4096)]
Count = Annotated[int, Field(ge=1)]
Steps = Annotated[int, Field(ge=1, le=100)]


def is_own_code(name: str) -> bool:
    """Whether something is the user's own code, `package.module:name`."""
    return len(name) <= MAX_OWN_NAME and OWN_CODE.fullmatch(name) is not None


def _one_of(names: tuple[str, ...], kind: str) -> AfterValidator:
    """One of the names, or the user's own; a name that an installed package gives becomes what it means."""

    def known(name: str) -> str:
        meant = name if name in names or is_own_code(name) else registered(kind, name)
        if meant is None or not (meant in names or is_own_code(meant)):
            raise ValueError(f"neither known nor package.module:name: {name!r}")
        return meant

    return AfterValidator(known)


def _shown(names: tuple[str, ...], own: str) -> Any:
    return Field(json_schema_extra={"enum": [*names, f"package.module:{own}"]})


Architecture = Annotated[str, _one_of(ARCHITECTURE_NAMES, "networks"), _shown(ARCHITECTURE_NAMES, "pair")]
Loss = Annotated[str, _one_of(LOSS_NAMES, "losses"), _shown(LOSS_NAMES, "loss")]
Metric = Annotated[str, _one_of((), "metrics"), _shown((), "metric")]
Penalty = Annotated[str, _one_of(PENALTY_NAMES, "penalties"), _shown(PENALTY_NAMES, "penalty")]


COMMON = ("optimizer", "beta1", "beta2", "momentum", "weight_decay", "width", "lr_schedule")
"""Of these `name_g` and `name_d` are each network's own, null for the common one."""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """What one of the two networks is built and trained with: its own, or what is common to both."""

    lr: float
    norm: Norm
    activation: Activation | None
    """None for the architecture's own."""
    dropout: float
    optimizer: Optimizer
    beta1: float
    beta2: float
    momentum: float
    weight_decay: float
    width: int
    lr_schedule: Schedule


class Config(BaseModel):
    """The full configuration of one run; `lr` is the geometric mean of the two learning rates."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    architecture: Architecture = "mlp"
    """The pair of networks, by name or of your own."""
    loss: Loss = "non-saturating"
    """The loss, by name or of your own; in a study file also a recipe."""
    alpha_d: Positive = 1.0
    """The order of the discriminator's loss, of alpha and alpha-minimax alone: 1 is the cross-entropy."""
    alpha_g: Positive = 1.0
    """The order of the generator's."""
    recipe: str | None = None
    """The recipe that `loss` was named by, if it was."""
    lr: Positive = 2e-4
    """The geometric mean of the two learning rates."""
    lr_ratio: Quotient = 1.0
    """The discriminator's learning rate over the generator's."""
    lr_g: Positive | None = None
    """The generator's learning rate; null: lr / sqrt(lr_ratio)."""
    lr_d: Positive | None = None
    """The discriminator's; null: lr sqrt(lr_ratio). A study names lr and lr_ratio, or these two."""
    lr_schedule: Schedule = "constant"
    """What becomes of both learning rates: linear and cosine take them to 0 over `decay_steps` steps, step
    multiplies them by `lr_decay` after each so many."""
    lr_schedule_g: Schedule | None = None
    lr_schedule_d: Schedule | None = None
    decay_steps: Count | None = None
    """The steps that `lr_schedule` counts in."""
    lr_decay: Annotated[float, Field(gt=0, le=1)] = 0.1
    """The factor of a step of `lr_schedule`."""
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    """Steps over which both learning rates grow evenly to what they would be without."""
    beta1: Momentum = 0.5
    """The decay of the Adams' first moment."""
    beta2: Momentum = 0.999
    """The decay of the Adams' second moment."""
    batchnorm: BatchNorm = "generator"
    """Which networks' hidden layers have batchnorm, always by the batch's own statistics."""
    norm_g: Norm | None = None
    """How the generator's hidden layers are normalised: layer takes maps over all of them, as `GroupNorm`
    with one group, instance takes maps alone; null: as `batchnorm` says."""
    norm_d: Norm | None = None
    """How the discriminator's are."""
    optimizer: Optimizer = "adam"
    """Both networks'. The Adams (AdamW: Loshchilov & Hutter 2019; optimistic: Daskalakis 2018, algorithm 1)
    read `beta1` and `beta2`, the others `momentum`; RMSprop's decay is torch's .99."""
    momentum: Momentum = 0.0
    """RMSprop's and SGD's."""
    weight_decay: NotNegative = 0.0
    """adamw: weights shrink by lr times this a step; the others: this times the weights is added to the
    gradient, as torch does."""
    optimizer_g: Optimizer | None = None
    optimizer_d: Optimizer | None = None
    beta1_g: Momentum | None = None
    beta1_d: Momentum | None = None
    beta2_g: Momentum | None = None
    beta2_d: Momentum | None = None
    momentum_g: Momentum | None = None
    momentum_d: Momentum | None = None
    weight_decay_g: NotNegative | None = None
    weight_decay_d: NotNegative | None = None
    penalty: Penalty = "none"
    """What is added to the discriminator's loss at each of its updates, by name or of your own."""
    penalty_weight: NotNegative = 10.0
    """The factor of the penalty."""
    weight_clip: Positive | None = None
    """Discriminator weights are clamped to [-weight_clip, weight_clip] after each of its steps."""
    spectral_norm: bool = False
    """Every weight matrix or kernel of the discriminator is divided by its largest singular value (Miyato
    2018, algorithm 1)."""
    n_dis: Steps = 1
    """Discriminator updates per step."""
    n_gen: Steps = 1
    """Generator updates per step."""
    accuracy_bar: Annotated[float, Field(ge=0.5, lt=1)] | None = None
    """The discriminator skips its update while its accuracy on the batch is above this (wasserstein's and
    relativistic's is the share of pairs with r > f)."""
    batch_size: Annotated[int, Field(ge=2, le=4096)] = 64
    """Examples a discriminator update sees of either kind; an example is a pack of `packing` images, as in
    PacGAN's code."""
    packing: Annotated[int, Field(ge=1, le=16)] = 1
    """Images that the discriminator judges together, joined as channels (PacGAN, Lin 2018)."""
    latent_dim: Annotated[int, Field(ge=1, le=4096)] = 100
    """The length of z."""
    latent: Latent = "normal"
    """z is standard normal, or uniform on [-1, 1), or on the sphere of radius sqrt(latent_dim)."""
    width: Width = 64
    """mlp: hidden layers of 1, 2, 4, 8 times it in the generator, of 8, 4, 2 times in the discriminator;
    dcgan, conditional, unpool: maps at the finest grid, twice as many at each coarser one."""
    width_g: Width | None = None
    width_d: Width | None = None
    activation: Activation = "leaky-relu"
    """Of the discriminator's hidden layers; leaky-relu has slope .2 (maxout and dirac have their own)."""
    activation_g: Activation | None = None
    """Of the generator's; null: the architecture's own, leaky-relu in mlp and fully-connected, else relu."""
    dropout: Momentum = 0.0
    """Dropout in the discriminator's hidden layers."""
    init: Init = "dcgan"
    """How weights start: N(0, .02), torch's default, orthogonal matrices or Glorot's uniform numbers
    (xavier)."""
    minibatch_std: bool = False
    """The discriminator's last layer has one more feature or map, the mean standard deviation over the whole
    batch (Karras 2018, section 3)."""
    dropout_g: Momentum = 0.0
    """Dropout in the generator's hidden layers while it trains; what is evaluated has none."""
    instance_noise: NotNegative = 0.0
    """Standard deviation of the normal noise on all images that the discriminator is trained with, on the
    scale of `input_range`."""
    instance_noise_steps: Count | None = None
    """Steps over which instance_noise falls evenly to 0; null: it stays."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The discriminator's target for real images is 1 - label_smoothing (one-sided, Salimans 2016). As the
    next three, no effect but under minimax, non-saturating and least-squares, which have targets."""
    label_smoothing_fake: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The other side: its target for fake images."""
    label_smoothing_steps: Count | None = None
    """Steps over which both smoothings fall evenly to 0; null: they stay."""
    label_noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Every target of the discriminator is moved by a number of its own, uniform within
    +-label_noise."""
    label_flip: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The probability that a real image and the fake beside it trade labels in a discriminator's update,
    under any loss."""
    replay: Momentum = 0.0
    """The probability that the discriminator is shown an old fake in a fake's place, which is kept for it
    (Shrivastava 2017, section 2.3, one at a time as in CycleGAN's code); not with conditional."""
    replay_batches: Annotated[int, Field(ge=1, le=1000)] = 16
    """How many batches of fakes are kept for replay; nothing is replayed before there are as many."""
    ema_decay: Momentum = 0.0
    """Above 0, metrics and pictures are of an exponential moving average of the generator's weights."""
    input_range: InputRange = "symmetric"
    """The range of the images, real and generated, that the discriminator sees:
    -1..1, 0..1 or 0..255. The generator's output is stretched to it."""
    input_range_real: InputRange | None = None
    """The range of the real images alone, as where somebody forgot to scale them; null: as input_range."""
    train_size: Annotated[int, Field(ge=2, le=1_000_000_000)] | None = None
    """Train on this many of the training images: the same ones in every run."""

    @property
    def rates(self) -> dict[str, float]:
        """Both learning rates, their geometric mean and their ratio, whichever pair was named."""
        lr_g, lr_d = self.generator.lr, self.discriminator.lr
        named = self.lr_g is not None or self.lr_d is not None
        mean, ratio = (lr_g**0.5 * lr_d**0.5, lr_d / lr_g) if named else (self.lr, self.lr_ratio)
        return {"lr": mean, "lr_ratio": ratio, "lr_g": lr_g, "lr_d": lr_d}

    @property
    def generator(self) -> NetworkSettings:
        """How the generator is built and trained."""
        lr = self.lr / self.lr_ratio**0.5 if self.lr_g is None else self.lr_g
        norm = self.norm_g or ("batch" if self.batchnorm in ("generator", "both") else "none")
        return NetworkSettings(lr, norm, self.activation_g, self.dropout_g, **self._own("g"))

    @property
    def discriminator(self) -> NetworkSettings:
        """How the discriminator is built and trained."""
        lr = self.lr * self.lr_ratio**0.5 if self.lr_d is None else self.lr_d
        norm = self.norm_d or ("batch" if self.batchnorm in ("discriminator", "both") else "none")
        return NetworkSettings(lr, norm, self.activation, self.dropout, **self._own("d"))

    @property
    def networks(self) -> tuple[NetworkSettings, NetworkSettings]:
        """Generator and discriminator."""
        return self.generator, self.discriminator

    def _own(self, network: Literal["g", "d"]) -> dict[str, Any]:
        own = {name: getattr(self, f"{name}_{network}") for name in COMMON}
        return {name: getattr(self, name) if value is None else value for name, value in own.items()}


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

"""What one record, evaluation, event and run result are. Imports only the standard library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """The one label of a run at the horizon; the order is the order in which the rules are tried."""

    DIVERGED = "diverged"
    SATURATED = "saturated"
    STABLE = "stable"
    NEARLY_STABLE = "nearly-stable"
    OSCILLATING = "oscillating"
    LEARNING = "learning"
    COLLAPSED = "collapsed"
    PARTIAL_COLLAPSE = "partial-collapse"
    DOMINATED = "dominated"
    NOISE = "noise"


SUCCESSES = frozenset({Outcome.STABLE, Outcome.NEARLY_STABLE})
"""Runs that ended as one would have them: what rates, maps and searches look for."""

FAILURES = (
    Outcome.DIVERGED,
    Outcome.SATURATED,
    Outcome.OSCILLATING,
    Outcome.COLLAPSED,
    Outcome.PARTIAL_COLLAPSE,
    Outcome.DOMINATED,
    Outcome.NOISE,
)
"""Runs that still learn are none, since the horizon was too short to tell, nor are nearly stable ones."""


class EventKind(StrEnum):
    """Something that happened in a run; kinds do not exclude each other."""

    COLLAPSE = "collapse"
    SATURATION = "saturation"
    DOMINATION = "domination"
    OSCILLATION = "oscillation"
    EXPLOSION = "explosion"
    DISCRIMINATOR_FOOLED = "discriminator_fooled"
    LOSS_SPIKE = "loss_spike"
    MODE_DROPPING = "mode_dropping"
    LATENT_IGNORED = "latent_ignored"


@dataclass(frozen=True, slots=True)
class Record:
    """Training diagnostics of one run at one step, all of them taken from that step's own batch.

    `None` means "does not apply" (a probability under a loss that has none), or that a run which was trained
    elsewhere did not tell; a number that is not finite stays as it is.
    """

    run: str
    step: int
    loss_d: float | None
    loss_g: float | None
    penalty: float | None
    real_logit_mean: float | None
    real_logit_std: float | None
    fake_logit_mean: float | None
    fake_logit_std: float | None
    real_probability: float | None
    fake_probability: float | None
    real_saturated_share: float | None
    """Share of the real images' probabilities within .01 of 0 or 1."""
    fake_saturated_share: float | None
    separation: float | None
    """P(real logit > fake logit) + P(equal) / 2 on the batch: .5 is chance, 1 is perfect."""
    grad_norm_g: float | None
    grad_norm_d: float | None
    layer_grad_norms_g: tuple[float, ...]
    layer_grad_norms_d: tuple[float, ...]
    layer_names_g: tuple[str, ...]
    layer_names_d: tuple[str, ...]
    fake_grad_norm: float | None
    """Mean over the batch of the norm of d loss_g / d fake image (of the summed loss)."""
    generator_update: float | None
    """|change of weights| / (lr_g sqrt(number of weights)); about .1 to 1 under a working Adam."""
    discriminator_update: float | None
    """The same for the discriminator's last update of the step."""
    signal: float | None
    """Mean over the batch of |d loss_g / d fake logit| (of the summed loss)."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics of one run at one visit, on generated samples. A metric that cannot be computed is NaN."""

    run: str
    step: int
    n_samples: int
    """How many images every metric is taken on, at the last visit too, so that visits compare."""
    features: str
    """Whose features: the classifier's name, such as `mnist_cnn`, or `points` for a point's coordinates."""
    sized: Mapping[str, float]
    """What depends on the number of samples, by full names that end in it: `fid_<features>_<n>` at n_samples
    and at the last visit's larger n; on all samples of the visit, for ring, grid and digits-stacked,
    `modes_pacgan_<n>` (modes with at least one sample) and `kl_pacgan_<n>` (KL of the samples' shares of the
    modes to the even distribution, nats), as PacGAN's tables count: for points, those of high quality.
    Metrics of the user's own, on n_samples, are `own_<name>`."""
    fid_floor: float
    """Mean FID of n_samples training images against the same test statistics, over 20 draws."""
    fid_floor_std: float
    fid_ratio: float
    """FID at n_samples / fid_floor: 1 is as good as training images. Where the floor is 0 (dirac),
    1 + FID / tolerance^2. It moves with n_samples, as the floor does; `fid_excess` hardly does."""
    fid_excess: float
    """(FID at n_samples - fid_floor) / variance of the real features: 0 is as good as training images, 1 as
    far away as a generator that always draws the average. Dirac: over tolerance^2."""
    class_shares: tuple[float, ...]
    """Share of the samples that the classifier puts into each class, at any confidence; for points, share of
    those whose nearest centre each is."""
    modes: int
    """Classes with at least a fifth of an even share (.02 with ten classes) of the recognisable samples.
    Recognisable: near real ones, as precision counts them, and the classifier is sure of it (>= .9).
    None where fewer than 5% of the samples are."""
    n_modes: int
    effective_modes: float
    """exp(entropy of class_shares)."""
    kl: float
    """KL(class_shares || the training images' class shares), nats."""
    classifier_confidence: float
    """Mean over the samples of the largest class probability; a point's is 1 within the tolerance of a
    centre, else 0."""
    precision: float
    recall: float
    density: float
    coverage: float
    diversity: float
    """Mean pairwise feature distance of samples / the same of real images: 0 is one image, 1 is real. Where
    the real ones are all equal (dirac), 1 + distance / tolerance."""
    separation: float
    """P(r > f) + P(r = f)/2 between held-out reals and the samples."""
    memorisation: float
    """Median distance to the nearest training image, samples / held-out images: near 0 is copying. Under
    `train_size` only the images that the run was trained on count. Dirac: 1 + distance / tolerance."""
    confident_share: float
    """Share of the samples of which the classifier is sure (>= .9), as it may be of noise; for points, of
    high quality: within the tolerance of a centre."""
    class_agreement: float | None
    """Conditional networks: share of the samples that are in the class they were asked for."""
    diversity_within: float | None
    """Conditional networks: `diversity` of the samples asked for one class, against real images of that
    class; mean over the classes asked for at least twice (and with as many held-out images)."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first step at which something was not finite, and what."""

    step: int
    tensor: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, with its evidence; `recovery` is the visit where it was over."""

    run: str
    kind: EventKind
    onset: int
    recovery: int | None
    evidence: str
    provisional: bool
    """The onset lies in the last `persist - 1` visits, so it may not have lasted."""
    never_good: bool
    """The run was not good at any visit before the onset."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """How one run ended."""

    run: str
    outcome: Outcome
    step: int
    """The last step that was trained."""
    reason: str
    events: tuple[Event, ...]
    divergence: Divergence | None
    stopped: bool
    """Stopped by `training.stop_on` before the horizon."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a run was trained, or its training ended."""

    host: str
    processor: str
    """The model of what did the arithmetic, a processor or a GPU; empty where the system tells none."""


@dataclass(frozen=True, slots=True)
class History:
    """All that is known of one run; what the outcome rules read."""

    run: str
    records: tuple[Record, ...]
    evaluations: tuple[Evaluation, ...]
    divergence: Divergence | None
    last_step: int

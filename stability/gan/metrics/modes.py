"""How samples spread over the modes of a data set, by what a describer says of them.

May not import store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from stability.gan.metrics.describers import Description

MODE_CONFIDENCE = 0.9
MODE_FRACTION = 5
"""A mode is covered from 1 / 5 of an even share of the recognisable samples on: .02 with ten classes."""
RECOGNISABLE = 0.05
"""Share of the samples below which no mode is covered: a few lucky ones among noise make up none."""
PACGAN_CONFIDENCE = {"ring": 1.0, "grid": 1.0, "digits-stacked": 0.0}
"""The data sets of PacGAN's tables, and the confidence from which on these count a sample: points when they
are of high quality, stacked digits always."""


@dataclass(frozen=True)
class ClassUse:
    """How samples spread over the classes; see `Evaluation` for each."""

    shares: tuple[float, ...]
    modes: int
    effective_modes: float
    kl: float
    classifier_confidence: float
    confident_share: float


def class_use(
    found: Description, near_real: Bool[Tensor, " n"], real_shares: Float[Tensor, " classes"]
) -> ClassUse:
    """How samples spread over the classes: NaN and 0 modes where one could not be described.

    A classifier is sure of noise, too: recognisable are samples of which it is sure and that are near real
    ones. How many they are is for other measures to say, so modes are counted among them.
    """
    n_classes = len(real_shares)
    if not found.confidence.isfinite().all():
        return ClassUse((math.nan,) * n_classes, 0, *[math.nan] * 4)
    shares = class_shares(found.modes, n_classes)
    is_confident = found.confidence >= MODE_CONFIDENCE
    good = torch.bincount(found.modes[is_confident & near_real], minlength=n_classes)
    return ClassUse(
        shares=tuple(shares.tolist()),
        modes=_covered(good, len(found.modes)),
        effective_modes=torch.special.entr(shares).sum().exp().item(),
        kl=(torch.xlogy(shares, shares) - torch.xlogy(shares, real_shares.cpu())).sum().item(),
        classifier_confidence=found.confidence.mean().item(),
        confident_share=is_confident.double().mean().item(),
    )


def _covered(recognisable: Int64[Tensor, " classes"], n: int) -> int:
    total = int(recognisable.sum())
    if total < RECOGNISABLE * n or not total:
        return 0
    return int(((recognisable * MODE_FRACTION * len(recognisable) >= total) & (recognisable > 0)).sum())


def class_shares(classes: Int64[Tensor, " n"], n_classes: int) -> Float[Tensor, " classes"]:
    """Share of each class, float64, on the CPU."""
    return torch.bincount(classes.cpu(), minlength=n_classes).double() / len(classes)


def pacgan_scores(dataset: str, found: Description, n_classes: int) -> dict[str, float]:
    """Modes and reverse KL (nats) as PacGAN's tables report them, by full name; none for other data sets.

    `modes_pacgan_<n>`: modes with at least one sample; `kl_pacgan_<n>`: KL of the samples' shares of the
    modes to the even distribution, NaN where no sample counts. Both are NaN where a sample could not be
    described. For points only those of high quality count. Source: Lin et al. 2018, "PacGAN: the power of
    two samples in generative adversarial networks", section 4, and its published code.
    """
    if dataset not in PACGAN_CONFIDENCE:
        return {}
    n, modes, kl = len(found.modes), math.nan, math.nan
    if found.confidence.isfinite().all():
        counted = found.modes[found.confidence >= PACGAN_CONFIDENCE[dataset]]
        modes = float(len(torch.unique(counted)))
        if len(counted):
            kl = math.log(n_classes) - torch.special.entr(class_shares(counted, n_classes)).sum().item()
    return {f"modes_pacgan_{n}": modes, f"kl_pacgan_{n}": kl}


def class_agreement(found: Description, labels: Int64[Tensor, " n"]) -> float:
    """Share of the samples that are in the class they were asked for; NaN where one cannot be described."""
    if not found.confidence.isfinite().all():
        return math.nan
    return (found.modes == labels.cpu()).double().mean().item()

"""One formula of the training at a time is made wrong, and its row has to fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from stability import selftest
from stability.gan.losses import LOSSES, alpha_d
from stability.gan.training import optimizers, penalties
from stability.gan.training.cohort import Cohort
from stability.gan.training.optimizers import MemberwiseAdam, StackedRMSprop, StackedSGD, WholeStackAdam
from stability.gan.training.penalties import PENALTIES
from stability.gan.training.spectral import SpectralNorm
from stability.selftest import dirac_closed_forms as dirac
from stability.selftest.bench import Bench

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]
FailsWhen = Callable[[Plant, tuple[str, ...], Callable[[], Bench]], None]


def wrong_side(name: str, side: str) -> Plant:
    """One side of a loss 2% too large."""

    def plant(patch: Patch) -> None:
        right = getattr(LOSSES[name], side)
        patch.setitem(LOSSES, name, replace(LOSSES[name], **{side: lambda *args: 1.02 * right(*args)}))

    return plant


def side_of(name: str, side: str, function: Callable[..., Tensor]) -> Plant:
    return lambda patch: patch.setitem(LOSSES, name, replace(LOSSES[name], **{side: function}))


def smoothed(name: str, factor: float) -> Plant:
    def plant(patch: Patch) -> None:
        right = LOSSES[name].smoothing
        patch.setitem(LOSSES, name, replace(LOSSES[name], smoothing=lambda r, e: factor * right(r, e)))

    return plant


def terms(name: str, *wrong: penalties.Term) -> Plant:
    return lambda patch: patch.setitem(PENALTIES, name, wrong)


def constant_gradient(patch: Patch) -> None:
    """The squared gradient with no derivative in the weights."""
    right = penalties.squared_input_gradients
    patch.setattr(penalties, "squared_input_gradients", lambda *a: right(*a).detach() + 0 * right(*a))


def attribute(target: Any, name: str, value: Any) -> Plant:
    return lambda patch: patch.setattr(target, name, value)


def no_clip(patch: Patch) -> None:
    patch.setattr(Cohort, "_clip_weights", lambda self: None)


def loose_clip(patch: Patch) -> None:
    right = Cohort._clip_weights

    def clip(self: Cohort) -> None:
        tight, self._clip = self._clip, 1.1 * self._clip
        right(self)
        self._clip = tight

    patch.setattr(Cohort, "_clip_weights", clip)


def frobenius(patch: Patch) -> None:
    """The norm of all entries instead of the largest singular value."""

    def sigma(self: SpectralNorm, name: str, leaf: Tensor) -> Tensor:
        return leaf.flatten(1).norm(dim=1).reshape(-1, *(1 for _ in leaf.shape[1:]))

    patch.setattr(SpectralNorm, "_sigma", sigma)


def constant_sigma(patch: Patch) -> None:
    """No gradient through sigma."""
    right = SpectralNorm._sigma
    patch.setattr(SpectralNorm, "_sigma", lambda self, name, leaf: right(self, name, leaf).detach())


def exchanged_betas(patch: Patch) -> None:
    right = MemberwiseAdam.__init__

    def init(self: MemberwiseAdam, leaves: Any, settings: Any) -> None:
        right(self, leaves, [replace(own, beta1=own.beta2, beta2=own.beta1) for own in settings])

    patch.setattr(MemberwiseAdam, "__init__", init)


def no_bias_correction(patch: Patch) -> None:
    patch.setattr(WholeStackAdam, "_bias_corrections", lambda self: torch.ones(2, len(self._steps)))


def without_momentum(optimizer: Any) -> Plant:
    def plant(patch: Patch) -> None:
        right = optimizer.__init__

        def init(self: Any, leaves: Any, settings: Any) -> None:
            right(self, leaves, [replace(own, momentum=0.0) for own in settings])

        patch.setattr(optimizer, "__init__", init)

    return plant


def damped_sgd(patch: Patch) -> None:
    """Every gradient but the first counts (1 - momentum) times, as with torch's dampening."""
    right = StackedSGD.step

    def step(self: StackedSGD, gradients: Any) -> None:
        right(self, [g * (1 - self._momentum[:, None]) for g in gradients])

    patch.setattr(StackedSGD, "step", step)


def discriminator_first(patch: Patch) -> None:
    def update(game: Any, point: Any, lr: Any) -> Any:
        psi = point.psi - lr * dirac.gradient_d(game, point)
        theta = point.theta - lr * dirac.gradient_g(game, dirac.Point(point.theta, psi))
        return dirac.Point(theta, psi)

    patch.setitem(selftest.dirac.UPDATES, "alternating", update)


def narrow_noise(patch: Patch) -> None:
    right = dirac._quadrature
    patch.setattr(dirac, "_quadrature", lambda noise: right(0.9 * noise))


def one_random_stream(patch: Patch) -> None:
    """Noise from the global generator, as if the runs had none of their own."""
    patch.setattr(
        "stability.gan.training.streams.Streams.z",
        lambda self, batch, latent, kind="": torch.randn(batch, latent),
    )


GENERATOR, DISCRIMINATOR = "the generator's loss and derivatives", "the discriminator's loss and derivatives"
AFTER = "norm after 500 / 5000"
ADAMS = "stacked Adams = torch.optim.Adam, 30 steps"
GAUSSIANS = "FID between Gaussians of known moments"
FEW_NUMBERS = "precision, recall, density, coverage of a few numbers"

LOSS_ERRORS: dict[str, tuple[Plant, tuple[str, ...]]] = {
    f"{name}, {side}: 2% too large": (wrong_side(name, side), (f"{name}: the {side}'s loss and derivatives",))
    for name in LOSSES
    for side in ("discriminator", "generator")
} | {
    "minimax = non-saturating": (
        side_of("minimax", "generator", LOSSES["non-saturating"].generator),
        ("losses = their formulas", f"minimax: {GENERATOR}"),
    ),
    "non-saturating = minimax": (
        side_of("non-saturating", "generator", LOSSES["minimax"].generator),
        (
            f"non-saturating: {GENERATOR}",
            f"Dirac non-saturating, simultaneous: {AFTER}",
            f"Dirac non-saturating, alternating: {AFTER}",
        ),
    ),
    "relativistic, generator: roles not exchanged": (
        side_of("relativistic", "generator", LOSSES["relativistic"].discriminator),
        ("losses = their formulas", f"relativistic: {GENERATOR}", "Dirac relativistic: eigenvalues"),
    ),
    "relativistic, generator: no gradient through the real logit": (
        side_of("relativistic", "generator", lambda r, f: softplus(r.detach() - f)),
        (f"relativistic: {GENERATOR}",),
    ),
    "hinge, generator: a constant": (
        side_of("hinge", "generator", lambda r, f: f * 0 + 1),
        ("losses = their formulas", f"hinge: {GENERATOR}", "every loss trains: mlp"),
    ),
    **{
        f"{name}: label smoothing {factor:g} times": (smoothed(name, factor), (f"{name}: label smoothing",))
        for name, factor in (("minimax", 0.5), ("non-saturating", -1.0), ("least-squares", 2.0))
    },
    "minimax: fakes' targets 1 - e": (
        lambda patch: patch.setitem(
            LOSSES, "minimax", replace(LOSSES["minimax"], smoothing_fake=lambda f, e: (e - 1) * f)
        ),
        ("minimax: label smoothing",),
    ),
    "alpha: an order of alpha": (
        side_of("alpha", "discriminator", lambda r, f, order=0.0: alpha_d(r, f, 2 * order)),
        ("alpha: orders of 1/2 and 2",),
    ),
    "hinge: label smoothing at all": (
        lambda patch: patch.setitem(LOSSES, "hinge", replace(LOSSES["hinge"], smoothing=lambda r, e: e * r)),
        ("hinge: label smoothing",),
    ),
}

R1_ROWS = (
    "penalty r1: value and derivative",
    "Dirac R1: eigenvalues",
    f"Dirac R1 .3, simultaneous: {AFTER}",
    "Dirac R1, simultaneous: largest stable rate / 4g",
)
PENALTY_ERRORS: dict[str, tuple[Plant, tuple[str, ...]]] = {
    "no penalty: R1": (terms("none", penalties.R1), ("penalty none: value and derivative",)),
    "gradient penalty: centred at 0": (
        terms("gradient-penalty", penalties.ZERO_CENTRED),
        ("penalty gradient-penalty: value and derivative",),
    ),
    "gradient penalty: at the real images": (
        terms("gradient-penalty", replace(penalties.GRADIENT_PENALTY, points=penalties.at_real)),
        ("penalty gradient-penalty: value and derivative",),
    ),
    "zero-centred: centred at 1": (
        terms("zero-centred-gradient-penalty", penalties.GRADIENT_PENALTY),
        ("penalty zero-centred-gradient-penalty: value and derivative",),
    ),
    "R1: without the half": (terms("r1", replace(penalties.R1, cost=penalties.zero_centred)), R1_ROWS),
    "R1: at the fakes": (terms("r1", penalties.R2), R1_ROWS[:1]),
    "R2: at the reals": (terms("r2", penalties.R1), ("penalty r2: value and derivative",)),
    "R2: without the half": (
        terms("r2", replace(penalties.R2, cost=penalties.zero_centred)),
        ("penalty r2: value and derivative", "Dirac R2: eigenvalues"),
    ),
    "R1 + R2: twice R1": (
        terms("r1-r2", penalties.R1, penalties.R1),
        ("penalty r1-r2: value and derivative",),
    ),
    "DRAGAN: at the reals": (
        terms("dragan", replace(penalties.DRAGAN, points=penalties.at_real)),
        ("penalty dragan: value and derivative",),
    ),
    "DRAGAN: twice as far": (
        attribute(penalties, "PERTURBATION", 1.0),
        ("penalty dragan: value and derivative",),
    ),
    "every penalty: no derivative in the weights": (
        constant_gradient,
        tuple(f"penalty {name}: value and derivative" for name in PENALTIES if name != "none"),
    ),
    "clip: none": (no_clip, ("weight clip bounds the discriminator alone",)),
    "clip: 10% too wide": (loose_clip, ("weight clip bounds the discriminator alone",)),
    "spectral norm: Frobenius": (
        frobenius,
        ("spectral norm = division by numpy's singular value", "spectral norm: derivative"),
    ),
    "spectral norm: sigma held constant": (constant_sigma, ("spectral norm: derivative",)),
}

OTHER_ERRORS: dict[str, tuple[Plant, tuple[str, ...]]] = {
    "Adam: epsilon 1e-3": (attribute(optimizers, "EPS", 1e-3), (ADAMS,)),
    "Adam: betas exchanged": (exchanged_betas, (ADAMS,)),
    "Adam: no bias correction": (no_bias_correction, (ADAMS,)),
    "RMSprop: decay .9": (
        attribute(optimizers, "RMSPROP_ALPHA", 0.9),
        ("stacked RMSprop = torch.optim.RMSprop, 30 steps",),
    ),
    "RMSprop: no momentum": (
        without_momentum(StackedRMSprop),
        ("stacked RMSprop = torch.optim.RMSprop, 30 steps",),
    ),
    "SGD: no momentum": (without_momentum(StackedSGD), ("stacked SGD = torch.optim.SGD, 30 steps",)),
    "SGD: dampened": (damped_sgd, ("stacked SGD = torch.optim.SGD, 30 steps",)),
    "Dirac: discriminator first": (discriminator_first, (f"Dirac GAN, alternating: {AFTER}",)),
    "Dirac: no clip": (
        attribute(dirac, "_clipped", lambda game, psi: psi),
        (f"Dirac WGAN, clip 1, simultaneous: {AFTER}", f"Dirac WGAN, clip 1, alternating: {AFTER}"),
    ),
    "Dirac: noise 10% too narrow": (narrow_noise, ("Dirac instance noise: eigenvalues",)),
    "minimax discriminator 2% too large, seen by the Dirac-GAN": (
        wrong_side("minimax", "discriminator"),
        (
            f"Dirac GAN, simultaneous: {AFTER}",
            f"Dirac GAN from (1, 1), simultaneous: {AFTER}",
            "Dirac GAN: eigenvalues",
            "Dirac GAN, simultaneous: growth per step",
        ),
    ),
    "engine: noise of the global generator": (
        one_random_stream,
        ("the same cohort twice", "a cohort's member = the run alone, 20 steps"),
    ),
}


@pytest.mark.parametrize("error", LOSS_ERRORS)
def test_a_wrong_loss_is_found(fails_when: FailsWhen, tmp_path: Path, error) -> None:
    fails_when(*LOSS_ERRORS[error], lambda: Bench(CPU, tmp_path))


@pytest.mark.parametrize("error", PENALTY_ERRORS)
def test_a_wrong_penalty_is_found(fails_when: FailsWhen, tmp_path: Path, error) -> None:
    fails_when(*PENALTY_ERRORS[error], lambda: Bench(CPU, tmp_path))


@pytest.mark.parametrize("error", OTHER_ERRORS)
def test_an_error_elsewhere_is_found(fails_when: FailsWhen, tmp_path: Path, error) -> None:
    fails_when(*OTHER_ERRORS[error], lambda: Bench(CPU, tmp_path))

"""Known answers checked on a device: what a user with other hardware runs first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from stability.gan.adam import AdamSettings, MemberwiseAdam, StackedOptimizer, WholeStackAdam
from stability.gan.classifier import load_classifier, measure_accuracy
from stability.gan.cohort import Cohort, Placement
from stability.gan.data import load_dataset
from stability.gan.fid import feature_statistics, fid
from stability.gan.losses import LOSSES
from stability.spec import Config, Run

LOGITS = (0.5, 0.25)
"""One real and one fake logit ..."""
LOSS_VALUES: dict[str, tuple[float, float]] = {
    "minimax": (1.30001640, -0.82593942),
    "non-saturating": (1.30001640, 0.57593942),
    "least-squares": (0.15625, 0.28125),
    "hinge": (1.75, -0.25),
    "wasserstein": (-0.25, -0.25),
}
"""... and what discriminator and generator minimise there."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was expected, what came."""

    name: str
    expected: str
    found: str
    passed: bool

    def as_row(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def run_checks(device: torch.device) -> list[Check]:
    """Run every check on the device; about a minute on a CPU."""
    return [_run(check, device) for check in CHECKS]


def _run(check: Callable[[torch.device], Check], device: torch.device) -> Check:
    """A check that cannot even be carried out has failed; the others still run."""
    try:
        return check(device)
    except Exception as error:
        words = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return Check((check.__doc__ or "").partition(":")[0].rstrip("."), "an answer", words, passed=False)


def as_text(checks: Sequence[Check]) -> str:
    """A table, and a closing line."""
    width = max(len(check.name) for check in checks)
    lines = [
        f"{'ok  ' if check.passed else 'FAIL'}  {check.name:<{width}}  {check.found} "
        f"(expected {check.expected})"
        for check in checks
    ]
    failed = sum(not check.passed for check in checks)
    return "\n".join([*lines, f"{len(checks)} checks, {failed} failed"])


def _runs(**common: Any) -> list[Run]:
    """One small run per loss."""
    return [
        Run(
            run=f"selftest-{loss}",
            point=0,
            trial=loss,
            replicate=0,
            seed=seed,
            config=Config(loss=loss, width=8, batch_size=16, latent_dim=16, lr=1e-3, **common),
            levels={},
        )
        for seed, loss in enumerate(LOSSES)
    ]


def _images(device: torch.device) -> torch.Tensor:
    return load_dataset("mnist", device=device).train[:256]


def _train(cohort: Cohort, steps: int) -> dict[str, torch.Tensor]:
    for _ in cohort.train(steps, record_every=steps):
        pass
    return cohort.state()


def member_alone(device: torch.device) -> Check:
    """A member of a mixed cohort against the same run alone: equal bits on a CPU, close on a GPU."""
    runs, images, place = _runs(), _images(device), Placement(device)
    together = _train(Cohort(runs, images, place), 20)
    alone = _train(Cohort(runs[2:3], images, place), 20)
    names = [name for name in alone if name.startswith(("generator/", "discriminator/"))]
    worst = max(float((together[name][2] - alone[name][0]).abs().max()) for name in names)
    bound = 0.0 if device.type == "cpu" else 1e-2
    return Check("a cohort's member = the run alone, 20 steps", f"<= {bound:g}", f"{worst:g}", worst <= bound)


def same_twice(device: torch.device) -> Check:
    """The same seeds twice give the same weights."""
    runs, images, place = _runs(), _images(device), Placement(device)
    first, second = (_train(Cohort(runs, images, place), 10) for _ in range(2))
    equal = all(torch.equal(first[name], second[name]) for name in first)
    return Check("the same cohort twice", "equal bits", "equal bits" if equal else "different", equal)


def known_losses(device: torch.device) -> Check:
    """Every loss of one real and one fake logit, against values computed by hand."""
    real, fake = (torch.tensor([logit], device=device) for logit in LOGITS)
    worst = max(
        abs(float(getattr(LOSSES[name], side)(real, fake)) - value)
        for name, values in LOSS_VALUES.items()
        for side, value in zip(("discriminator", "generator"), values, strict=True)
    )
    return Check("losses = their formulas", "<= 1e-6", f"{worst:.1e}", worst <= 1e-6)


def both_adams(device: torch.device) -> Check:
    """Both Adams over stacks against torch's own, member by member; some gradients as small as epsilon."""
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(3, 40, generator=generator)
    settings = [AdamSettings(1e-3, 0.0, 0.9), AdamSettings(1e-2, 0.5, 0.999), AdamSettings(3e-4, 0.9, 0.99)]
    leaves = [start.clone().to(device) for _ in range(2)]
    adams: list[StackedOptimizer] = [
        MemberwiseAdam([leaves[0]], settings),
        WholeStackAdam([leaves[1]], settings),
    ]
    members = [row.clone() for row in start]
    betas = [(own.beta1, own.beta2) for own in settings]
    textbook = [
        torch.optim.Adam([row], lr=own.lr, betas=pair, foreach=False)
        for row, own, pair in zip(members, settings, betas, strict=True)
    ]
    for _ in range(30):
        gradient = torch.randn(3, 40, generator=generator) * torch.logspace(-9, 0, 40)
        for adam in adams:
            adam.step([gradient.to(device)])
        for optimizer, row, own in zip(textbook, members, gradient, strict=True):
            row.grad = own
            optimizer.step()
    worst = max(float((leaf.cpu() - torch.stack(members)).abs().max()) for leaf in leaves)
    return Check("stacked Adams = torch.optim.Adam, 30 steps", "<= 1e-5", f"{worst:.1e}", worst <= 1e-5)


def losses_train(device: torch.device) -> Check:
    """Every loss in both architectures changes both networks and stays finite."""
    images, bad = _images(device), []
    for architecture in ("mlp", "dcgan"):
        cohort = Cohort(_runs(architecture=architecture), images, Placement(device))
        before = cohort.state()
        after = _train(cohort, 2)
        for k, run in enumerate(cohort.runs):
            moved = [
                any(
                    not torch.equal(before[name][k], after[name][k])
                    for name in before
                    if name.startswith(net)
                )
                for net in ("generator/", "discriminator/")
            ]
            if not all(moved) or cohort.divergences()[k] is not None:
                bad.append(f"{architecture} {run.config.loss}")
    return Check("every loss x architecture trains", "all", ", ".join(bad) or "all", not bad)


def gaussian_fid(device: torch.device) -> Check:
    """FID of features whose mean and covariance are known: |m1 - m2|^2 + sum (s1 - s2)^2."""
    rng = np.random.default_rng(0)
    n, width = 4096, 8
    white = rng.standard_normal((n, width))
    white = white - white.mean(0)
    white = white @ np.linalg.inv(np.linalg.cholesky(np.cov(white.T))).T
    scale, shift = np.linspace(0.5, 2.0, width), np.linspace(-1, 1, width)
    expected = float((shift**2).sum() + ((1 - scale) ** 2).sum())
    features = [torch.from_numpy(array).to(torch.float64) for array in (white, white * scale + shift)]
    found = fid(*(feature_statistics(array) for array in features))
    return Check(
        "FID between Gaussians of known moments",
        f"{expected:.6f}",
        f"{found:.6f}",
        abs(found - expected) <= 1e-6 * expected,
    )


def shipped_classifier(device: torch.device) -> Check:
    """The shipped classifier's accuracy on the 10,000 test images, measured again."""
    dataset = load_dataset("mnist", device=device)
    accuracy = measure_accuracy(load_classifier(dataset, device=device), dataset)
    return Check("mnist classifier's test accuracy", ">= 0.994", f"{accuracy:.4f}", accuracy >= 0.994)


CHECKS: tuple[Callable[[torch.device], Check], ...] = (
    known_losses,
    both_adams,
    member_alone,
    same_twice,
    losses_train,
    gaussian_fid,
    shipped_classifier,
)

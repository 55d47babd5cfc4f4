"""One metric at a time is made wrong, and its row has to fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from stability.gan.metrics import evaluation
from stability.gan.metrics.describers import PointDescriber
from stability.gan.metrics.fid import Statistics
from stability.gan.metrics.manifold import PRDC
from stability.selftest import metrics
from stability.selftest.bench import SAMPLES, Bench

CPU = torch.device("cpu")
Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]
FailsWhen = Callable[[Plant, tuple[str, ...], Callable[[], Bench]], None]


def attribute(target: Any, name: str, value: Any) -> Plant:
    return lambda patch: patch.setattr(target, name, value)


def biased_covariance(patch: Patch) -> None:
    right = metrics.feature_statistics

    def statistics(features: Tensor) -> Statistics:
        found, n = right(features), len(features)
        return Statistics(found.mean, found.covariance * (n - 1) / n)

    patch.setattr(metrics, "feature_statistics", statistics)


def changed_use(**wrong: Any) -> Plant:
    """A part of the class statistics replaced."""
    right = evaluation.class_use
    return attribute(evaluation, "class_use", lambda *a: replace(right(*a), **wrong))


def changed_prdc(change: Callable[[PRDC], PRDC]) -> Plant:
    right = evaluation.prdc

    def plant(patch: Patch) -> None:
        for module in (evaluation, metrics):
            patch.setattr(module, "prdc", lambda real, fake: change(right(real, fake)))

    return plant


def scaled(name: str, factor: float) -> Plant:
    right = getattr(evaluation, name)
    return attribute(evaluation, name, lambda *a, **k: factor * right(*a, **k))


def far_nearest(patch: Patch) -> None:
    """The distance to the second nearest training image."""

    def second(queries: Tensor, references: Tensor) -> Tensor:
        return torch.cdist(queries, references).topk(2, largest=False).values[:, 1]

    patch.setattr(evaluation, "nearest", second)


def ties_lost(real: Tensor, fake: Tensor) -> float:
    return float((real[:, None] > fake).double().mean())


def sure_of_all_points(patch: Patch) -> None:
    right = PointDescriber.describe
    patch.setattr(
        PointDescriber,
        "describe",
        lambda self, images: replace(right(self, images), confidence=torch.ones(len(images)).double()),
    )


GENERATOR, DISCRIMINATOR = "the generator's loss and derivatives", "the discriminator's loss and derivatives"
AFTER = "norm after 500 / 5000"
ADAMS = "stacked Adams = torch.optim.Adam, 30 steps"
GAUSSIANS = "FID between Gaussians of known moments"
FEW_NUMBERS = "precision, recall, density, coverage of a few numbers"

EXACT_ERRORS: dict[str, tuple[Plant, tuple[str, ...]]] = {
    "FID: 0": (attribute(metrics, "fid", lambda *_: 0.0), (GAUSSIANS,)),
    "FID: NaN": (attribute(metrics, "fid", lambda *_: float("nan")), (GAUSSIANS,)),
    "FID: of the means alone": (
        attribute(metrics, "fid", lambda a, b: float(((a.mean - b.mean) ** 2).sum())),
        (GAUSSIANS,),
    ),
    "FID: covariance over n": (biased_covariance, (GAUSSIANS,)),
    "classifier: worse": (
        attribute(metrics, "measure_accuracy", lambda *_: 0.99),
        ("mnist classifier's test accuracy",),
    ),
    "separation: ties lost": (
        attribute(metrics, "separation", ties_lost),
        ("separation of known logits",),
    ),
    "precision and recall exchanged": (
        changed_prdc(lambda p: replace(p, precision=p.recall, recall=p.precision)),
        (FEW_NUMBERS,),
    ),
    "density for coverage": (changed_prdc(lambda p: replace(p, coverage=p.density)), (FEW_NUMBERS,)),
}

REAL_ERRORS: dict[str, tuple[Plant, tuple[str, ...]]] = {
    "FID: three times too large": (scaled("fid", 3.0), ("real mnist: FID / floor",)),
    "FID: NaN at visits": (
        attribute(evaluation, "fid", lambda *_: float("nan")),
        ("real mnist: FID / floor",),
    ),
    "precision: 10% too small": (
        changed_prdc(lambda p: replace(p, precision=0.9 * p.precision)),
        ("real mnist: precision", FEW_NUMBERS),
    ),
    "recall: 10% too small": (
        changed_prdc(lambda p: replace(p, recall=0.9 * p.recall)),
        ("real mnist: recall", FEW_NUMBERS),
    ),
    "coverage: half": (
        changed_prdc(lambda p: replace(p, coverage=p.coverage / 2)),
        ("real mnist: coverage", "real ring: coverage", "real grid: coverage"),
    ),
    "density: of one neighbour fewer": (
        changed_prdc(lambda p: replace(p, density=p.density * 4 / 5)),
        ("real ring: density", "real grid: density", FEW_NUMBERS),
    ),
    "diversity: always 1": (
        attribute(evaluation, "diversity", lambda *_: 1.0),
        ("one mnist image repeated",),
    ),
    "diversity: 5% too large": (scaled("diversity", 1.05), ("real mnist: diversity",)),
    "modes: one too many": (changed_use(modes=11), ("real mnist: modes",)),
    "modes: one too few": (changed_use(modes=7), ("real ring: modes", "real grid: modes")),
    "KL: always 0": (changed_use(kl=0.0), ("one mnist image repeated",)),
    "KL: to the wrong shares": (changed_use(kl=0.05), ("real mnist: kl", "real ring: kl", "real grid: kl")),
    "memorisation: the second nearest": (
        far_nearest,
        ("real mnist: memorisation",),
    ),
    "memorisation: half the distance": (
        scaled("nearest", 0.5),
        ("held-out mnist: memorisation, diversity, precision, coverage",),
    ),
    "separation: ties lost at visits": (
        attribute(evaluation, "separation", ties_lost),
        ("real mnist: separation",),
    ),
    "class agreement: of other labels": (
        attribute(evaluation, "class_agreement", lambda found, asked: 0.1),
        ("real mnist: class agreement",),
    ),
    "points: all of high quality": (
        sure_of_all_points,
        ("real ring: confident share", "real grid: confident share"),
    ),
}


@pytest.mark.parametrize("error", EXACT_ERRORS)
def test_a_wrong_formula_is_found(fails_when: FailsWhen, tmp_path: Path, error) -> None:
    fails_when(*EXACT_ERRORS[error], lambda: Bench(CPU, tmp_path))


@pytest.mark.parametrize("error", REAL_ERRORS)
def test_a_wrong_metric_is_found(shared: Bench, fails_when: FailsWhen, tmp_path: Path, error) -> None:
    def make() -> Bench:
        bench = Bench(CPU, tmp_path)
        bench.evaluators |= {name: shared.evaluator(name) for name in SAMPLES}
        return bench

    fails_when(*REAL_ERRORS[error], make)

"""The metrics where their values are known: Gaussians, real images taken for generated ones, copies.

`FLOORS` are what real training images score by chance alone. Theory gives some of them; the others were
measured once, on 30 random draws, and reach 5 of the draws' standard deviations to either side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

import numpy as np
import torch
from scipy import stats

from stability.gan.data.datasets import to_unit
from stability.gan.metrics.classifier import load_classifier, measure_accuracy
from stability.gan.metrics.evaluation import separation
from stability.gan.metrics.fid import feature_statistics, fid
from stability.gan.metrics.manifold import NEIGHBOURS, manifold, prdc
from stability.records import Evaluation
from stability.selftest.bench import SAMPLES, Bench
from stability.selftest.check import Finding, Question, between, same

SIGMAS = 5
POINT_QUALITY = 1 - math.exp(-4.5)
"""Share of a round Gaussian in the plane that lies within 3 standard deviations: 98.9%."""


def expected_coverage(n: int) -> float:
    """Coverage of n samples from the same distribution as n real ones (Naeem et al. 2020, eq. 10)."""
    return 1 - math.prod((n - i) / (2 * n - i) for i in range(1, NEIGHBOURS + 1))


def most_kl(classes: int, n: int) -> float:
    """KL that n draws from the real classes exceed once in 10,000: 2 n KL is nearly chi-squared."""
    return float(stats.chi2.ppf(0.9999, classes - 1) / (2 * n))


def _around(mean: float, std: float) -> tuple[float, float]:
    return mean - SIGMAS * std, mean + SIGMAS * std


def _binomial(p: float, n: int) -> tuple[float, float]:
    return _around(p, math.sqrt(p * (1 - p) / n))


FLOORS: Mapping[str, Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "mnist": {
            "modes": (10, 10),
            "kl": (0, most_kl(10, SAMPLES["mnist"])),
            "precision": _around(0.9188, 0.0084),
            "recall": _around(0.9251, 0.0076),
            "density": _around(0.9370, 0.0224),
            "coverage": _around(0.9586, 0.0088),
            "diversity": _around(0.9958, 0.0040),
            "diversity_within": _around(1.0105, 0.0081),
            "classifier_confidence": (0.9946, 1),
            "confident_share": (0.9841, 1),
            "class_agreement": (0.9929, 1),
            "effective_modes": _around(9.9534, 0.0191),
            "separation": (0.5, 0.5),
            "memorisation": (0, 0),
        },
        "ring": {
            "modes": (8, 8),
            "confident_share": _binomial(POINT_QUALITY, SAMPLES["ring"]),
            "kl": (0, most_kl(8, SAMPLES["ring"])),
            "coverage": _around(expected_coverage(SAMPLES["ring"]), 0.0047),
            "density": _around(1, 0.0095),
            "memorisation": (0, 0),
        },
        "grid": {
            "modes": (25, 25),
            "confident_share": _binomial(POINT_QUALITY, SAMPLES["grid"]),
            "kl": (0, most_kl(25, SAMPLES["grid"])),
            "coverage": _around(expected_coverage(SAMPLES["grid"]), 0.0047),
            "density": _around(1, 0.0095),
            "memorisation": (0, 0),
        },
    }
)
"""By data set and metric, for `SAMPLES` training examples. In theory known: the modes; KL (`most_kl`); of
points, high quality, coverage (`expected_coverage`) and density, which is 1 (Naeem et al. 2020, eq. 9); a
separation of .5 from equal logits; a memorisation of 0, since training examples are copies."""


def gaussian_fid(bench: Bench) -> Finding:
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
    return Finding(f"{expected:.6f}", f"{found:.6f}", abs(found - expected) <= 1e-6 * expected)


def shipped_classifier(bench: Bench) -> Finding:
    """The shipped classifier's accuracy on the 10,000 test images, measured again."""
    accuracy = measure_accuracy(load_classifier(bench.mnist, device=bench.device), bench.mnist)
    return Finding(">= 0.994", f"{accuracy:.4f}", accuracy >= 0.994)


def fid_ratio(dataset: str, bench: Bench) -> Finding:
    """FID of training examples over its floor: within 4 standard deviations of the floor's draws of 1."""
    scores = bench.real_scores(dataset)
    spread = 4 * scores.fid_floor_std / scores.fid_floor
    return between(scores.fid_ratio, max(0.0, 1 - spread), 1 + spread, ".3f")


def floor(dataset: str, metric: str, bench: Bench) -> Finding:
    """One metric of training examples, against what chance and theory allow."""
    return between(getattr(bench.real_scores(dataset), metric), *FLOORS[dataset][metric])


def known_separation(bench: Bench) -> Finding:
    """Of the six pairs of three real and two fake logits, 4 are in order and one is a tie."""
    real, fake = (torch.tensor(logits, device=bench.device) for logits in ([1.0, 2.0, 3.0], [0.0, 2.0]))
    return same(separation(real, fake), (4 + 0.5) / 6)


def known_neighbours(bench: Bench) -> Finding:
    """Precision, recall, density and coverage of numbers whose nearest neighbours are counted by hand.

    The reals' radii are 1, 1, 1, 8, the fakes' .1, .1, 11, 10, 10: the first two fakes lie in the first two
    reals' balls and no other does, and of the reals only 10 lies in a fake's ball, that of 19.
    """
    real, fake = (
        manifold(torch.tensor(numbers, device=bench.device)[:, None], k=1)
        for numbers in ([0.0, 1.0, 2.0, 10.0], [0.5, 0.6, 19.0, 30.0, 40.0])
    )
    found = prdc(real, fake)
    numbers = (found.precision, found.recall, found.density, found.coverage)
    return same(numbers, (2 / 5, 1 / 4, 4 / 5, 2 / 4))


def _evaluated(bench: Bench, images: torch.Tensor) -> Evaluation:
    logits = torch.zeros(1)
    evaluator = bench.evaluator("mnist")
    return evaluator.evaluate(to_unit(images), run="known", step=0, real_logits=logits, fake_logits=logits)


def held_out_images(bench: Bench) -> Finding:
    """The held-out images themselves: as far from the training images as held-out images are, and diverse."""
    found = _evaluated(bench, bench.evaluator("mnist").held_out)
    numbers = (found.memorisation, found.diversity, found.precision, found.coverage)
    return same(numbers, (1.0, 1.0, 1.0, 1.0))


def one_image(bench: Bench) -> Finding:
    """One held-out image repeated: its mode alone, no diversity, and KL = -log of its class's share."""
    evaluator = bench.evaluator("mnist")
    found = _evaluated(bench, evaluator.held_out[:1].expand(SAMPLES["mnist"], -1, -1, -1))
    its_class = evaluator.dataset.train_labels == evaluator.held_out_labels[0]
    kl = -math.log(float(its_class.double().mean()))
    passed = found.modes == 1 and found.diversity == 0 and abs(found.kl - kl) <= 1e-9
    return Finding(
        f"modes 1, diversity 0, KL {kl:.6f}",
        f"modes {found.modes}, diversity {found.diversity:g}, KL {found.kl:.6f}",
        passed,
    )


QUESTIONS = (
    Question("FID between Gaussians of known moments", gaussian_fid),
    Question("mnist classifier's test accuracy", shipped_classifier),
    Question("separation of known logits", known_separation),
    Question("precision, recall, density, coverage of a few numbers", known_neighbours),
    *(Question(f"real {name}: FID / floor", partial(fid_ratio, name)) for name in FLOORS),
    *(
        Question(f"real {name}: {metric.replace('_', ' ')}", partial(floor, name, metric))
        for name, metrics in FLOORS.items()
        for metric in metrics
    ),
    Question("held-out mnist: memorisation, diversity, precision, coverage", held_out_images),
    Question("one mnist image repeated", one_image),
)

"""Which distance from real images moves least with the number of samples: `-m benchmarks.sample_sizes`.

A good, a middling and a bad generator are trained, and training images that are slightly blurred stand for a
nearly perfect one. Each distance is taken on several disjoint sets of samples of every size; a measure that
labels can rest on is the same at every size, and varies little between sets.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
import torch
from jaxtyping import Float
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from stability.gan.data.datasets import Dataset, load_dataset, to_unit
from stability.gan.metrics.describers import load_describer
from stability.gan.metrics.fid import Statistics, feature_statistics, fid, fid_floor
from stability.gan.training.cohort import Cohort
from stability.gan.training.placement import Placement
from stability.runner.devices import choose_device
from stability.spec import Config, Run

SIZES = (256, 512, 1024, 2048, 4096, 8192)
SETS = 4
"""Disjoint sets of samples of each size."""
SEED = 20_261_129
GENERATORS: dict[str, tuple[Config, int]] = {
    "good": (Config(architecture="dcgan", width=16, batch_size=32, latent_dim=64, lr=8e-4), 2_500),
    "middling": (Config(architecture="mlp", width=32, latent_dim=64, lr=8e-4), 2_500),
    "bad": (Config(architecture="mlp", width=32, latent_dim=64, lr=8e-4), 400),
}
"""Configuration and steps of each trained generator."""

Features = Float[Tensor, "n features"]


@dataclass(frozen=True)
class Real:
    """What samples are compared with."""

    train: Features
    test: Features
    statistics: Statistics
    floors: dict[int, float]


def generators(dataset: Dataset) -> Iterator[tuple[str, Float[Tensor, "n c h w"]]]:
    """Images of each generator, by its name."""
    n = SETS * max(SIZES)
    generator = torch.Generator().manual_seed(SEED)
    rows = torch.randperm(len(dataset.train), generator=generator)[:n]
    yield "nearly perfect", gaussian_blur(to_unit(dataset.train[rows]), [3, 3], [0.55, 0.55])
    placement = Placement(choose_device("cpu"))
    for name, (config, steps) in GENERATORS.items():
        run = Run(name, 0, name, 0, SEED, config, {})
        cohort = Cohort([run], dataset.train, placement)
        for _ in cohort.train(steps, record_every=steps):
            pass
        yield name, cohort.samples(n)[0]


def kid(features: Features, real: Features) -> float:
    """Unbiased squared maximum mean discrepancy, kernel (x y / d + 1)^3 (Binkowski 2018, section 4)."""

    def kernel(a: Features, b: Features) -> Tensor:
        return (a.double() @ b.double().T / a.shape[1] + 1) ** 3

    def within(a: Features) -> Tensor:
        gram = kernel(a, a)
        return (gram.sum() - gram.diagonal().sum()) / (len(a) * (len(a) - 1))

    return float(within(features) + within(real) - 2 * kernel(features, real).mean())


def fid_extrapolated(features: Features, real: Real) -> float:
    """FID at infinitely many samples by a line in 1 / n through five sizes (Chong & Forsyth 2020)."""
    sizes = np.linspace(len(features) // 5, len(features), 5).astype(int)
    scores = [fid(feature_statistics(features[:size]), real.statistics) for size in sizes]
    return float(np.polyfit(1 / sizes, scores, 1)[1])


MEASURES: dict[str, Callable[[Features, Real], float]] = {
    "FID": lambda x, real: fid(feature_statistics(x), real.statistics),
    "FID / floor(n)": lambda x, real: fid(feature_statistics(x), real.statistics) / real.floors[len(x)],
    "FID / floor(1,024)": lambda x, real: fid(feature_statistics(x), real.statistics) / real.floors[1024],
    "excess": lambda x, real: (
        (fid(feature_statistics(x), real.statistics) - real.floors[len(x)]) / real.statistics.variance
    ),
    "FID extrapolated": fid_extrapolated,
    "KID": lambda x, real: kid(x, real.test[:4096]),
}


def measure(dataset: Dataset) -> pd.DataFrame:
    """One row a generator, measure, size and set: `generator, measure, n, place, value`."""
    describer = load_describer(dataset, device=torch.device("cpu"))
    train, test = describer.describe(dataset.train).features, describer.describe(dataset.test).features
    statistics = feature_statistics(test)
    draws = torch.Generator().manual_seed(SEED)
    floors = {n: fid_floor(train, statistics, n, generator=draws).mean for n in SIZES}
    real = Real(train, test, statistics, floors)
    rows = []
    for generator, images in generators(dataset):
        features = describer.describe(images).features
        for n in SIZES:
            for place in range(SETS):
                own = features[place * n : (place + 1) * n]
                rows += [(generator, name, n, place, take(own, real)) for name, take in MEASURES.items()]
    return pd.DataFrame(rows, columns=["generator", "measure", "n", "place", "value"])


def summary(values: pd.DataFrame) -> pd.DataFrame:
    """By generator and measure: the mean at each size, largest over smallest, and a set's spread at 1,024."""
    means = values.pivot_table(index=["generator", "measure"], columns="n", values="value", sort=False)
    spread = values[values["n"] == 1024].groupby(["generator", "measure"], sort=False)["value"].std()
    return means.assign(
        **{"largest / smallest": means.max(axis=1) / means.min(axis=1), "spread at 1,024": spread}
    )


def draw(values: pd.DataFrame, out: Path) -> None:
    """Each measure over its mean at all sizes, against n; the bars are the sets' spread."""
    means = values.groupby(["generator", "measure"])["value"].transform("mean")
    grid = sns.relplot(
        values.assign(share=values["value"] / means),
        x="n", y="share", hue="measure", style="measure", col="generator", col_wrap=2,
        kind="line", errorbar="sd", markers=True, dashes=False, height=2.8, aspect=1.5,
    )  # fmt: skip
    grid.set(xscale="log", ylim=(0, 2.5), xlabel="samples", ylabel="value / its mean")
    for axes in grid.axes.flat:
        axes.set_xticks(SIZES[::2], [f"{n:,}" for n in SIZES[::2]])
        axes.minorticks_off()
    grid.tight_layout().savefig(out)


def main() -> None:
    """Measure and write a CSV and a figure; print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("sample_sizes.csv"))
    parser.add_argument("--figure", type=Path, default=Path("sample_sizes.svg"))
    options = parser.parse_args()
    values = measure(load_dataset("mnist", device=torch.device("cpu")))
    values.to_csv(options.out, index=False)
    draw(values, options.figure)
    print(summary(values).to_string(float_format=lambda value: f"{value:.4g}"))


if __name__ == "__main__":
    main()

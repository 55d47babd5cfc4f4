"""What generated samples are worth: every metric of an `Evaluation`, against one data set and describer.

The features of the training images and the FID floors are kept in the user's cache folder, which may
be deleted at any time. Whatever is float64 is on the CPU, since not every device has it. May not import
store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from stability.errors import StabilityError
from stability.gan.data.datasets import Dataset, to_unit, training_subset
from stability.gan.metrics.cache import Cache
from stability.gan.metrics.describers import Describer, Description, Images
from stability.gan.metrics.fid import FLOOR_DRAWS, FidFloor, Statistics, feature_statistics, fid, fid_floor
from stability.gan.metrics.manifold import (
    NEIGHBOURS,
    Manifold,
    diversity,
    manifold,
    nearest,
    prdc,
    relative,
    spread,
)
from stability.gan.metrics.modes import class_agreement, class_shares, class_use, pacgan_scores
from stability.gan.metrics.own import OwnMetric, measured
from stability.records import Evaluation
from stability.vocabulary.metrics import OWN_PREFIX

HELD_OUT = 1024
"""Held-out real images used for the separation, at most, and for the spread within each class."""
_SEED = 20_191_025
"""Of the draw of held-out images and of the floors: the same in every study."""


@dataclass(frozen=True)
class Reference:
    """What `n` samples are compared with."""

    floor: FidFloor
    real: Manifold
    """Of the first n held-out images, or of all where there are fewer."""
    real_nearest: float
    """Median distance of those images to their nearest training image, of all or of `train_size` of them."""


class Evaluator:
    """Evaluates samples of any run of a study; holds all that does not depend on the samples.

    `held_out` are the real images (uint8, or points) whose logits `evaluate` wants. Nothing is
    drawn at random when samples are evaluated.
    """

    def __init__(
        self,
        dataset: Dataset,
        describer: Describer,
        *,
        samples: int,
        final_samples: int,
        own: Mapping[str, OwnMetric] | None = None,
        cache_dir: Path | None = None,
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Compute or look up what the samples are compared with.

        Args:
            dataset: the real images.
            describer: whose features, modes and confidences are used.
            samples: images of every evaluation.
            final_samples: images that the last evaluation's additional FID is taken on.
            own: metrics of the user's own, by name.
            cache_dir: where features and floors are kept; by default the user's cache folder.
            note: told what is about to take a while, and if it cannot be kept.

        Raises:
            StabilityError: the data set has too few images for evaluations of these sizes.

        """
        self.dataset, self.describer = dataset, describer
        self.samples, self.final_samples, self._own = samples, final_samples, dict(own or {})
        _check_sizes(dataset, max(samples, final_samples))
        self._cache = Cache(dataset, describer, cache_dir, note)
        order = torch.randperm(len(dataset.test), generator=torch.Generator().manual_seed(_SEED))
        self._order = order.to(dataset.test.device)
        self.held_out: Images = dataset.test[self._order[:HELD_OUT]]
        self.held_out_labels = dataset.test_labels[self._order[:HELD_OUT]]
        features = self._cache.get("features", lambda: _features_of(dataset, describer, note))
        device = dataset.train.device
        self._train, self._test = features["train"].to(device), features["test"].to(device)
        self._test_statistics: Statistics = feature_statistics(self._test)
        self._class_shares = class_shares(dataset.train_labels, len(dataset.classes))
        self._floors: dict[int, FidFloor] = {}
        self._manifolds: dict[int, Manifold] = {}
        self._unit = dataset.problem.unit if dataset.problem else 0.0
        self._references: dict[tuple[int, int | None], Reference] = {
            (samples, None): self._compute_reference(samples, None)
        }

    def reference(self, n: int, train_size: int | None = None) -> Reference:
        """What an evaluation of `n` samples is compared with; an unplanned size is slow at first."""
        if (n, train_size) not in self._references:
            _check_sizes(self.dataset, n)
            self._references[n, train_size] = self._compute_reference(n, train_size)
        return self._references[n, train_size]

    def floors(self) -> dict[str, dict[str, float]]:
        """By an FID's full name: mean, spread and number of the draws of its floor."""
        sizes = sorted({self.samples, self.final_samples})
        return {
            self._fid_name(n): {"mean": floor.mean, "std": floor.std, "draws": floor.draws}
            for n, floor in ((n, self._floor(n)) for n in sizes)
        }

    def real_scores(self, n: int | None = None) -> Evaluation:
        """What real images score: `n` training images, by default `samples`, as if they were generated.

        They are always the same ones, asked for by their own labels, and no discriminator tells them from
        others. Being training images they count as copies: `memorisation` is 0.
        """
        n = n or self.samples
        _check_sizes(self.dataset, n)
        train = self.dataset.train
        rows = torch.randperm(len(train), generator=torch.Generator().manual_seed(_SEED))[:n].to(train.device)
        logits = torch.zeros(n)
        return self.evaluate(
            to_unit(train[rows]),
            run="real",
            step=0,
            real_logits=logits,
            fake_logits=logits,
            labels=self.dataset.train_labels[rows],
        )

    def evaluate(
        self,
        images: Float[Tensor, "n c h w"],
        *,
        run: str,
        step: int,
        real_logits: Float[Tensor, " m"],
        fake_logits: Float[Tensor, " k"],
        labels: Int64[Tensor, " n"] | None = None,
        train_size: int | None = None,
    ) -> Evaluation:
        """Measure `images` in -1..1, or points, by a discriminator's logits on `held_out` and on samples.

        Every metric is taken on the first `samples` images, so that visits compare; more of them, as at the
        last visit, give one more FID under its own name, and PacGAN's metrics. If anything is not finite
        every metric of the samples is NaN and no mode is covered. Raises StabilityError where a metric of the
        user's own fails. `labels` are the classes that the images
        were asked for, `train_size` is how many training images the run was trained on; None is all.
        """
        whole = self.describer.describe(images)
        is_finite = bool(images.isfinite().all() and whole.is_finite())
        if not is_finite:
            whole, fake_logits = whole.unknown(), torch.full_like(fake_logits, torch.nan)
        scores = self._fid(whole.features)
        n, n_classes = min(len(images), self.samples), len(self.dataset.classes)
        found, asked = whole.first(n), None if labels is None else labels[:n]
        reference, score = self.reference(n, train_size), scores[self._fid_name(n)]
        fake = manifold(found.features, least_radius=self._unit)
        similarity = prdc(reference.real, fake)
        use = class_use(found, similarity.near_real, self._class_shares)
        extra = pacgan_scores(self.dataset.name, whole, n_classes) | self._own_metrics(images[:n], is_finite)
        copied = _median(nearest(found.features, self._trained_on(train_size)))
        return Evaluation(
            run=run,
            step=step,
            n_samples=n,
            features=self.describer.name,
            sized=dict(sorted((scores | extra).items())),
            fid_floor=reference.floor.mean,
            fid_floor_std=reference.floor.std,
            fid_ratio=relative(score, reference.floor.mean, self._unit**2),
            fid_excess=(score - reference.floor.mean) / (self._test_statistics.variance or self._unit**2),
            class_shares=use.shares,
            modes=use.modes,
            n_modes=n_classes,
            effective_modes=use.effective_modes,
            kl=use.kl,
            classifier_confidence=use.classifier_confidence,
            precision=similarity.precision,
            recall=similarity.recall,
            density=similarity.density,
            coverage=similarity.coverage,
            diversity=diversity(reference.real, fake, self._unit),
            separation=separation(real_logits, fake_logits),
            memorisation=relative(copied, reference.real_nearest, self._unit),
            confident_share=use.confident_share,
            class_agreement=None if asked is None else class_agreement(found, asked),
            diversity_within=None if asked is None else self._diversity_within(found, asked),
        )

    def _own_metrics(self, images: Float[Tensor, "n c h w"], is_finite: bool) -> dict[str, float]:
        if not is_finite:
            return {f"{OWN_PREFIX}{name}": math.nan for name in self._own}
        real = to_unit(self.dataset.test[self._order[: len(images)]]) if self._own else images
        return measured(self._own, images, real.to(images))

    def _diversity_within(self, found: Description, asked: Int64[Tensor, " n"]) -> float:
        ratios = []
        for label in sorted(set(asked.tolist())):
            fakes = found.features[asked.to(found.features.device) == label]
            reals = self._spreads_within.get(label, math.nan)
            if len(fakes) > 1 and not math.isnan(reals):
                ratios.append(relative(spread(fakes), reals, self._unit))
        return sum(ratios) / len(ratios) if ratios else math.nan

    @cached_property
    def _spreads_within(self) -> dict[int, float]:
        """By class: the spread of its held-out images, of at most HELD_OUT; NaN where there is but one."""
        features, labels = self._test[self._order], self.dataset.test_labels[self._order]
        return {label: spread(features[labels == label][:HELD_OUT]) for label in sorted(set(labels.tolist()))}

    def _trained_on(self, train_size: int | None) -> Float[Tensor, "m features"]:
        if train_size is None:
            return self._train
        return self._train[training_subset(len(self._train), train_size).to(self._train.device)]

    def _fid_name(self, n: int) -> str:
        return f"fid_{self.describer.name}_{n}"

    def _fid(self, features: Float[Tensor, "n features"]) -> dict[str, float]:
        sizes = sorted({min(len(features), self.samples), len(features)})
        return {
            self._fid_name(size): fid(feature_statistics(features[:size]), self._test_statistics)
            for size in sizes
        }

    def _compute_reference(self, n: int, train_size: int | None) -> Reference:
        drawn, trained_on = self._test[self._order[:n]], self._trained_on(train_size)
        name = f"nearest-{n}" if train_size is None else f"nearest-{n}-of-{train_size}"
        found = self._cache.get(name, lambda: _real_nearest(drawn, trained_on))
        if n not in self._manifolds:
            self._manifolds[n] = manifold(drawn, least_radius=self._unit)
        return Reference(self._floor(n), self._manifolds[n], found["nearest"].item())

    def _floor(self, n: int) -> FidFloor:
        if n not in self._floors:
            mean, std = self._cache.get(f"floor-{n}", lambda: self._compute_floor(n))["floor"].tolist()
            self._floors[n] = FidFloor(mean=mean, std=std, draws=FLOOR_DRAWS, n=n)
        return self._floors[n]

    def _compute_floor(self, n: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(_SEED)
        floor = fid_floor(self._train, self._test_statistics, n, generator=generator)
        return {"floor": torch.tensor([floor.mean, floor.std], dtype=torch.float64)}


def separation(real_logits: Float[Tensor, " m"], fake_logits: Float[Tensor, " n"]) -> float:
    """P(real > fake) + P(real = fake) / 2 over all pairs, the area under the ROC curve; NaN for NaN."""
    if real_logits.isnan().any() or fake_logits.isnan().any():
        return math.nan
    fakes, reals = fake_logits.cpu().sort().values, real_logits.cpu().contiguous()
    below = torch.searchsorted(fakes, reals)
    not_above = torch.searchsorted(fakes, reals, right=True)
    return (below + not_above).double().mean().item() / (2 * len(fakes))


def _check_sizes(dataset: Dataset, n: int) -> None:
    if n > len(dataset.train):
        raise StabilityError(
            f"{dataset.name}: {len(dataset.train)} training images are fewer than the {n} samples of an "
            "evaluation; lower recording.samples and recording.final_samples"
        )
    if len(dataset.test) <= NEIGHBOURS:
        raise StabilityError(
            f"{dataset.name}: {len(dataset.test)} held-out images are too few to compare with; "
            f"at least {NEIGHBOURS + 1} are needed"
        )


def _features_of(dataset: Dataset, describer: Describer, note: Callable[[str], None]) -> dict[str, Tensor]:
    if dataset.problem is None:  # those of points are the points, at once
        n = len(dataset.train) + len(dataset.test)
        note(f"computing features of {n:,} real images (the first time only)")
    return {
        "train": describer.describe(dataset.train).features,
        "test": describer.describe(dataset.test).features,
    }


def _real_nearest(
    drawn: Float[Tensor, "m features"], train: Float[Tensor, "n features"]
) -> dict[str, Tensor]:
    return {"nearest": torch.tensor([_median(nearest(drawn, train))], dtype=torch.float64)}


def _median(values: Float[Tensor, " n"]) -> float:
    return values.median().item()

"""What the metrics know of a sample: its features, the mode it belongs to, and how surely.

A data set's classifier tells; or, where the examples are points, their distance to the modes' centres; or,
where there are no classes to tell apart, the images' principal components. May not import store, design,
runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from stability.errors import StabilityError
from stability.gan.data.datasets import STACKED_DIGITS, Dataset, load_dataset, to_unit
from stability.gan.data.points import PointProblem
from stability.gan.data.stacked_digits import triple_label
from stability.gan.metrics.classifier import Classifier, load_classifier

Images = Float[Tensor, "n c h w"] | UInt8[Tensor, "n c h w"]

COMPONENTS = 64
MOST_IMAGES = 20_000
"""Training images that principal components are taken of, at most."""


@dataclass(frozen=True)
class Description:
    """What is known of each of n samples.

    Modes and confidences are on the CPU. A confidence is NaN where the sample cannot be described; its mode
    then means nothing.
    """

    features: Float[Tensor, "n features"]
    modes: Int64[Tensor, " n"]
    """The index of the class that a sample belongs to most likely."""
    confidence: Float[Tensor, " n"]
    """How surely it does, 0..1, float64."""

    def first(self, n: int) -> Description:
        """The same of the first n samples alone."""
        return Description(self.features[:n], self.modes[:n], self.confidence[:n])

    def is_finite(self) -> bool:
        """Whether every sample could be described."""
        return bool(self.features.isfinite().all() and self.confidence.isfinite().all())

    def unknown(self) -> Description:
        """The same number of samples of which nothing is known."""
        nan = torch.nan
        return Description(
            torch.full_like(self.features, nan), self.modes, torch.full_like(self.confidence, nan)
        )


@runtime_checkable
class Describer(Protocol):
    """Describes samples, real and generated ones alike."""

    @property
    def name(self) -> str:
        """Whose features, in the metrics' names."""

    @property
    def sha256(self) -> str:
        """Of all that descriptions depend on; empty where they should not be kept."""

    def describe(self, images: Images) -> Description:
        """Describe any number of samples: uint8, or floats in -1..1, or points."""


@dataclass(frozen=True)
class ClassifierDescriber:
    """By a data set's classifier: its features, its likeliest class and that class's probability."""

    classifier: Classifier

    @property
    def name(self) -> str:
        """The classifier's."""
        return self.classifier.name

    @property
    def sha256(self) -> str:
        """Of the classifier's weights."""
        return self.classifier.sha256

    def describe(self, images: Images) -> Description:
        """Describe images of any size."""
        features, logits = self.classifier.describe(images)
        modes, confidence = likeliest(logits)
        return Description(features, modes, confidence)


@dataclass(frozen=True)
class StackedDescriber:
    """By a classifier of single digits, one channel after the other.

    The features are the channels' features in a row. The confidence is the product of the channels' largest
    probabilities: that is the largest probability of the 1,000 classes if every channel tells its own
    digit, and so means what it means for any other classifier.
    """

    classifier: Classifier

    @property
    def name(self) -> str:
        """The classifier's, times three."""
        return f"{self.classifier.name}_x3"

    @property
    def sha256(self) -> str:
        """Of the classifier's weights."""
        return self.classifier.sha256

    def describe(self, images: Images) -> Description:
        """Describe images of three channels."""
        n, channels = images.shape[:2]
        features, logits = self.classifier.describe(images.flatten(0, 1).unsqueeze(1))
        digits, confidence = likeliest(logits)
        return Description(
            features=features.reshape(n, -1),
            modes=triple_label(digits.view(n, channels)),
            confidence=confidence.view(n, channels).prod(1),
        )


@dataclass(frozen=True)
class PointDescriber:
    """By the problem itself: a point's features are its coordinates, its mode the nearest centre.

    It is sure, 1, within the tolerance of that centre, and 0 outside.
    """

    problem: PointProblem

    name = "points"

    @property
    def sha256(self) -> str:
        """Of the centres and the tolerance."""
        digest = hashlib.sha256(self.problem.centres.numpy().tobytes())
        digest.update(f"{tuple(self.problem.centres.shape)} {self.problem.tolerance}".encode())
        return digest.hexdigest()

    def describe(self, images: Images) -> Description:
        """Describe points `[n, dim, 1, 1]`."""
        features = images.flatten(1).float()
        points = features.cpu().double()
        distance, modes = (points[:, None] - self.problem.centres).square().sum(2).sqrt().min(1)
        near = (distance <= self.problem.tolerance).double()
        return Description(features, modes, torch.where(points.isfinite().all(1), near, torch.nan))


@dataclass(frozen=True)
class ComponentDescriber:
    """By the principal components of the training images, where there is a single class.

    The features are `COMPONENTS` projections of the pixels in -1..1, or as many as there are pixels. All
    samples belong to the one mode, for certain; modes mean nothing then.
    """

    mean: Float[Tensor, " pixels"]
    components: Float[Tensor, "pixels features"]
    sha256: str

    name = "components"
    single_mode = True

    @classmethod
    def of(cls, dataset: Dataset) -> ComponentDescriber:
        """Those of a data set's training images."""
        return cls.of_images(dataset.train, dataset.sha256)

    @classmethod
    def of_images(cls, train: Images, sha256: str) -> ComponentDescriber:
        """Those of the first of these images; float64, so that every machine finds the same ones."""
        pixels = to_unit(train[:MOST_IMAGES]).flatten(1).cpu().double()
        mean = pixels.mean(0)
        _, vectors = torch.linalg.eigh((pixels - mean).T @ (pixels - mean) / len(pixels))
        components = vectors.flip(1)[:, :COMPONENTS].float()
        digest = hashlib.sha256(f"{cls.name} {COMPONENTS} {MOST_IMAGES} {sha256}".encode())
        return cls(mean.float(), components, digest.hexdigest())

    def describe(self, images: Images) -> Description:
        """Describe images of the data set's size."""
        pixels = to_unit(images) if images.dtype == torch.uint8 else images
        features = (pixels.flatten(1).cpu().float() - self.mean) @ self.components
        sure = torch.ones(len(features), dtype=torch.float64)
        confidence = torch.where(features.isfinite().all(1), sure, torch.nan)
        return Description(
            features.to(images.device), torch.zeros(len(features), dtype=torch.int64), confidence
        )


def load_describer(dataset: Dataset, *, device: torch.device, path: Path | None = None) -> Describer:
    """The describer of a data set; `path` is a classifier's file to use instead of the data set's own.

    Stacked digits are described by MNIST's classifier, channel by channel. Raises StabilityError when there
    is no classifier or it does not fit, and when one is given for points, which need none. A single class
    needs none either: there is nothing to tell apart.
    """
    if dataset.problem is not None:
        if path is not None:
            raise StabilityError(f"{path}: {dataset.name} needs no classifier; leave --classifier out")
        return PointDescriber(dataset.problem)
    if dataset.name == STACKED_DIGITS:
        mnist = load_dataset("mnist", device=torch.device("cpu"))
        return StackedDescriber(load_classifier(mnist, device=device, path=path))
    if len(dataset.classes) == 1 and path is None:
        return ComponentDescriber.of(dataset)
    return ClassifierDescriber(load_classifier(dataset, device=device, path=path))


def likeliest(logits: Float[Tensor, "n classes"]) -> tuple[Int64[Tensor, " n"], Float[Tensor, " n"]]:
    """Class of the largest probability, and that probability: NaN where a logit is not finite."""
    found = logits.cpu()
    confidence, modes = found.double().softmax(1).max(1)
    return modes, torch.where(found.isfinite().all(1), confidence, torch.nan)

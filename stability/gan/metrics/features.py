"""Describers for images of the user's own: a function's features, a classifier's from a file, Inception's.

May not import store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

import hashlib
import pickle
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from stability.errors import StabilityError
from stability.gan.data.datasets import load_dataset, to_unit
from stability.gan.metrics.classifier import SHIPPED, read_classifier
from stability.gan.metrics.describers import (
    ClassifierDescriber,
    ComponentDescriber,
    Describer,
    Description,
    Images,
    likeliest,
)
from stability.gan.metrics.manifold import NEIGHBOURS, manifold, prdc
from stability.gan.metrics.modes import MODE_CONFIDENCE

Function = Callable[[Tensor], Tensor | tuple[Tensor, Tensor]]
"""Takes floats in -1..1 `[n, c, h, w]` (vectors as they are, `[n, d, 1, 1]`) and gives features `[n, f]`, or
features and a classifier's logits `[n, classes]`."""
Features = str | Path | Function | None
"""How features are asked for, see `describer_for`."""

INCEPTION = "inception"
INCEPTION_FEATURES = "2048"
INCEPTION_BATCH = 32
BATCH = 256
FITTING = 0.75
"""The share of images that must be recognisable as digits, as modes are counted, for the shipped classifier
to be taken for theirs: of MNIST's own .93 are, of printed capitals .37, of noise none."""
MOST_NUMBERS = 1_200
"""Numbers of an image that principal components are taken of: 34 grey pixels a side, 20 coloured ones."""
SMALLEST = 28
"""Pixels of a side from which on images may be digits."""
TRIED = 1_000
"""Images that it is tried on, and held-out digits that they are compared with."""
UNSAFE = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True)
class FunctionDescriber:
    """By a function's features; of its logits, if it gives any, the modes."""

    function: Function
    name: str
    sha256: str = ""
    """Empty: nobody knows what a function depends on."""
    batch: int = BATCH
    single_mode: bool = False
    """Whether it is known to give no logits."""

    @torch.no_grad()
    def describe(self, images: Images) -> Description:
        """Describe any number of images, in batches.

        Raises `StabilityError`: what the function gives is not one row of features for every image.
        """
        parts = [self._part(batch) for batch in torch.split(images, self.batch)]
        features, modes, confidence = (torch.cat(column) for column in zip(*parts, strict=True))
        return Description(features, modes, confidence)

    def _part(self, images: Images) -> tuple[Tensor, Tensor, Tensor]:
        found = self.function(to_unit(images) if images.dtype == torch.uint8 else images)
        features, logits = found if isinstance(found, tuple) else (found, None)
        if not isinstance(features, Tensor) or features.dim() != 2 or len(features) != len(images):
            what = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
            raise StabilityError(
                f"features: {self.name} gives {what} for {len(images)} images, not ({len(images)}, features)"
            )
        features = features.detach().float()
        if logits is None:
            sure = torch.ones(len(features), dtype=torch.float64)
            finite = features.isfinite().all(1).cpu()
            return features, torch.zeros(len(features), dtype=torch.int64), sure.where(finite, torch.nan)
        return features, *likeliest(logits.detach().float())


def coordinates(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n features"]:
    """The numbers themselves, for vectors."""
    return images.flatten(1).float()


def describer_for(features: Features, train: Images, note: Callable[[str], None]) -> Describer:
    """Whose features real and generated examples are compared by.

    None is the shipped classifier of MNIST's digits where these images are recognisable as digits, else their
    own principal components (vectors: their coordinates). A path is a file that `stability classifier
    train` wrote; `inception:PATH` torch-fidelity's Inception with the weights at PATH; a function's own
    features carry its name.

    Raises `StabilityError`: the file is missing, damaged or does not fit, or there are no weights.
    """
    if callable(features):
        return FunctionDescriber(features, name_of(features))
    if isinstance(features, str) and features.partition(":")[0] == INCEPTION:
        return inception(features.partition(":")[2], train)
    if features is not None:
        classifier, sidecar = read_classifier(Path(features))
        if classifier.channels != train.shape[1]:
            words = f"was trained on {classifier.channels} channels, these images have {train.shape[1]}"
            raise StabilityError(f"{features}: {words}")
        note(f"features: {classifier.name}, a classifier of {len(sidecar['classes'])} classes")
        return ClassifierDescriber(classifier.to(train.device))
    if train.shape[-1] == 1:
        return FunctionDescriber(
            coordinates, "coordinates", hashlib.sha256(b"coordinates").hexdigest(), single_mode=True
        )
    return _shipped(train) or _components(train)


def name_of(function: Function) -> str:
    """A function's own name, as it can stand in a metric's."""
    name = getattr(function, "name", None) or getattr(function, "__name__", type(function).__name__)
    return UNSAFE.sub("_", str(name)).strip("_")[:40] or "features"


def inception(path: str, train: Images) -> FunctionDescriber:
    """torch-fidelity's Inception with the weights in a file; nothing is ever downloaded.

    Raises `StabilityError`: no path, no such file, or no weights of this network in it.
    """
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    wanted = "the file pt_inception-2015-12-05-6726825d.pth of torch-fidelity's releases"
    if not path:
        raise StabilityError(f"features: inception needs its weights, as inception:PATH; PATH is {wanted}")
    try:
        torch.load(path, weights_only=True)  # tensors and nothing that would run
        network = FeatureExtractorInceptionV3(
            "inception", [INCEPTION_FEATURES], feature_extractor_weights_path=path
        ).to(train.device)
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise StabilityError(f"{path}: {error.strerror or error}; PATH is {wanted}") from error
    except (
        RuntimeError,
        ValueError,
        KeyError,
        AttributeError,
        TypeError,
        EOFError,
        pickle.PickleError,
    ) as error:
        raise StabilityError(f"{path}: holds no weights of Inception; PATH is {wanted}") from error

    def features(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n features"]:
        found: Tensor = network(as_bytes(images))[0]
        return found

    return FunctionDescriber(
        features, f"{INCEPTION}_{INCEPTION_FEATURES}", digest, INCEPTION_BATCH, single_mode=True
    )


def as_bytes(images: Float[Tensor, "n c h w"]) -> UInt8[Tensor, "n 3 h w"]:
    """Images in -1..1 as bytes of three channels."""
    return ((images + 1) * 127.5).clamp(0, 255).round().byte().expand(-1, 3, -1, -1)


def thumbnails(images: Float[Tensor, "n c h w"], side: int) -> Float[Tensor, "n c h2 w2"]:
    """The same images, those with a longer side reduced to it."""
    longest = max(images.shape[-2:])
    if longest <= side:
        return images
    height, width = (max(1, round(length * side / longest)) for length in images.shape[-2:])
    return interpolate(images, (height, width), mode="area")


def _shipped(train: Images) -> Describer | None:
    """MNIST's classifier, where it takes these images for digits."""
    square = train.shape[-1] == train.shape[-2] >= SMALLEST
    if train.shape[1] != 1 or not square or len(train) <= NEIGHBOURS:
        return None
    describer = ClassifierDescriber(read_classifier(None)[0].to(train.device))
    tried = describer.describe(train[:: max(1, len(train) // TRIED)][:TRIED])
    digits = describer.describe(load_dataset(SHIPPED, device=train.device).test[:TRIED])
    near = prdc(manifold(digits.features), manifold(tried.features)).near_real
    recognised = near & (tried.confidence >= MODE_CONFIDENCE)
    return describer if recognised.double().mean() >= FITTING else None


def _components(train: Images) -> Describer:
    """The images' own components; of large ones, of what they are when reduced, since all pairs are taken."""
    channels, longest = train.shape[1], max(train.shape[-2:])
    side = isqrt(MOST_NUMBERS // channels)
    if longest <= side:
        return ComponentDescriber.of_images(train, digest_of([train]))
    own = ComponentDescriber.of_images(thumbnails(to_unit(train), side), digest_of([train]))

    def features(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n features"]:
        return own.describe(thumbnails(images, side)).features

    return FunctionDescriber(features, f"{own.name}_{side}px", own.sha256, single_mode=True)


def digest_of(parts: Sequence[Tensor]) -> str:
    """SHA-256 of tensors and their shapes."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{tuple(part.shape)} {part.dtype}".encode())
        digest.update(part.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()

"""What one would measure generated digits with: torch-fidelity, on the features of the shipped classifier."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch_fidelity
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset
from torch_fidelity.feature_extractor_base import FeatureExtractorBase

from stability.gan.data.datasets import load_dataset, to_unit
from stability.gan.metrics.classifier import Classifier, load_classifier

EXTRACTOR, LAYER = "mnist-cnn", "features"
CPU = torch.device("cpu")


class DigitFeatures(FeatureExtractorBase):  # type: ignore[misc]
    """The shipped classifier, as torch-fidelity takes a network."""

    def __init__(self, name: str, features_list: list[str], **options: Any) -> None:
        super().__init__(name, features_list)
        self.classifier = _classifier()

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        """The one layer."""
        return (LAYER,)

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        """The one layer, for every metric."""
        return LAYER

    @staticmethod
    def can_be_compiled() -> bool:
        """As it comes."""
        return False

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Features of uint8 images."""
        features, _ = self.classifier(to_unit(images))
        return (features,)


@cache
def _classifier() -> Classifier:
    """Read once only: torch-fidelity makes its extractor anew at every call."""
    return load_classifier(load_dataset("mnist", device=CPU), device=CPU)


class Images(TorchDataset[Tensor]):
    """Images one by one, as torch-fidelity reads them."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        """How many."""
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        """One of them."""
        return self.images[index]


class NaiveMetrics:
    """FID, precision and recall against the test images, and how many of each digit there are.

    The test images' features and statistics are kept in `cache`, so that they are computed once only.
    """

    def __init__(self, cache: Path, device: torch.device) -> None:
        self.cache, self.device = cache, device
        dataset = load_dataset("mnist", device=CPU)
        self.real = Images(dataset.test)
        self.classifier = load_classifier(dataset, device=device)
        if EXTRACTOR not in torch_fidelity.registry.FEATURE_EXTRACTORS_REGISTRY:
            torch_fidelity.register_feature_extractor(EXTRACTOR, DigitFeatures)

    def __call__(self, images: Tensor) -> dict[str, Any]:
        """Measure images in -1..1."""
        fakes = ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu()
        found: dict[str, Any] = torch_fidelity.calculate_metrics(
            input1=Images(fakes),
            input2=self.real,
            input2_cache_name="mnist-test",
            cache_root=str(self.cache),
            fid=True,
            prc=True,
            feature_extractor=EXTRACTOR,
            batch_size=256,
            cuda=self.device.type == "cuda",
            save_cpu_ram=True,  # no loader processes, which would cost more than the images
            verbose=False,
        )
        _, logits = self.classifier.describe(images)
        return found | {"digits": logits.argmax(1).bincount(minlength=10).tolist()}

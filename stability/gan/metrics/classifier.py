"""The small CNN whose features and probabilities the metrics use, its training and its files.

May not import store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import platformdirs
import torch
from jaxtyping import Float, Int64, UInt8
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from stability.errors import StabilityError
from stability.gan.data.datasets import STACKED_DIGITS, Dataset, to_unit
from stability.gan.metrics.files import write_whole

FEATURES = 64
SHIPPED, SHIPPED_NAME = "mnist", "mnist_cnn"
"""The data set whose classifier is in the package, and the classifier's name."""
TRAIN_ONE = "`stability classifier train` makes one"
_BATCH = 256
_LR = 3e-3
_WEIGHT_DECAY = 1e-2
_MIN_SCHEDULE = 6
"""Steps; the schedule divides by zero at 5."""
_MAX_ROTATION = math.radians(12)
_MAX_ZOOM = 0.1
_MAX_SHIFT = 1 / 14
"""As a share of the image: 2 pixels of 28."""
_MAX_NOISE = 0.3
"""Standard deviation, images being in -1..1. Young generators draw speckled digits that any reader can tell;
a classifier trained without noise recognised 43% of test digits at this level."""


class Classifier(nn.Module):
    """Strided 3x3 convolutions down to a grid of at most 8x8, then 64 features and the classes' logits.

    The features are taken before their ReLU: after it, more than half of them would be zero.
    `norm` puts a batchnorm behind every layer, for training; `folded` takes it out again.
    """

    name = "untrained_cnn"
    sha256 = ""

    def __init__(self, channels: int, image_size: int, n_classes: int, *, norm: bool = False) -> None:
        super().__init__()
        self.channels, self.image_size, self.n_classes, self.norm = channels, image_size, n_classes, norm
        width = 16 if channels == 1 else 32
        layers = [_conv(channels, width, 1, norm)]
        grid = image_size
        while grid > 8:
            layers += [_conv(width, 2 * width, 2, norm), _conv(2 * width, 2 * width, 1, norm)]
            grid, width = (grid + 1) // 2, 2 * width
        self.maps = nn.Sequential(*layers)
        embed: nn.Module = nn.Linear(width * grid**2, FEATURES, bias=not norm)
        self.embed = nn.Sequential(embed, nn.BatchNorm1d(FEATURES)) if norm else nn.Sequential(embed)
        self.head = nn.Linear(FEATURES, n_classes)
        self.to(memory_format=torch.channels_last)  # twice as fast on a CPU

    def forward(
        self, images: Float[Tensor, "n c h w"]
    ) -> tuple[Float[Tensor, "n features"], Float[Tensor, "n classes"]]:
        """Features and logits of images in -1..1; images of another size are resized to the classifier's."""
        if images.shape[-1] != self.image_size:
            size = (self.image_size, self.image_size)
            images = F.interpolate(images, size, mode="bilinear", antialias=True)
        maps: Tensor = self.maps(images.contiguous(memory_format=torch.channels_last))
        features: Tensor = self.embed(maps.flatten(1))
        return features, self.head(features.relu())

    @torch.inference_mode()
    def describe(
        self, images: Float[Tensor, "n c h w"] | UInt8[Tensor, "n c h w"]
    ) -> tuple[Float[Tensor, "n features"], Float[Tensor, "n classes"]]:
        """Features and logits of any number of images, in batches: uint8, or floats in -1..1."""
        outputs = [
            self(to_unit(batch) if batch.dtype == torch.uint8 else batch.float())
            for batch in torch.split(images, _BATCH if images.device.type == "cpu" else 16 * _BATCH)
        ]
        features, logits = zip(*outputs, strict=True)
        return torch.cat(features), torch.cat(logits)


@dataclass(frozen=True)
class EpochReport:
    """One epoch of a classifier's training; loss (nats) and accuracy are of the augmented training images."""

    epoch: int
    epochs: int
    loss: float
    accuracy: float
    seconds: float


@dataclass(frozen=True)
class TrainedClassifier:
    """A trained classifier, its batchnorms folded into the weights, and what the sidecar says of it."""

    classifier: Classifier
    accuracy: float
    """Share of all test images that are classified correctly; nothing was chosen by it."""
    dataset: str
    dataset_sha256: str
    classes: tuple[str, ...]
    seed: int
    epochs: int
    device: str
    threads: int


def load_classifier(dataset: Dataset, *, device: torch.device, path: Path | None = None) -> Classifier:
    """Load the classifier of a data set, in inference mode: from `path`, the package or the user's folder.

    Resized images get the classifier that was trained at their size, or else their data set's own.
    Raises StabilityError when there is none, when file and sidecar do not belong together, or when it was
    trained on other data.
    """
    if path is None and not dataset.native and classifier_path(dataset).is_file():
        path = classifier_path(dataset)
    if path is None and dataset.name != SHIPPED:
        path = _user_folder() / f"{_default_name(dataset)}.safetensors"
    classifier, sidecar = read_classifier(path, missing=f"{dataset.name}: ", hint=_hint(dataset))
    where, trained_on = _named(path), sidecar["dataset_sha256"]
    same_size = classifier.image_size == dataset.image_size
    if len(sidecar["classes"]) != len(dataset.classes) or classifier.channels != dataset.channels:
        raise StabilityError(f"{where}: was trained for other classes or channels than {dataset.name} has")
    if same_size and trained_on != dataset.sha256:
        raise StabilityError(
            f"{where}: was trained on other images than this {dataset.name}; {_hint(dataset)}"
        )
    return classifier.to(device)


def read_classifier(
    path: Path | None, *, missing: str = "", hint: str = TRAIN_ONE
) -> tuple[Classifier, dict[str, Any]]:
    """A classifier from its file, None for the shipped one of MNIST, in inference mode; and its sidecar.

    Raises StabilityError when it is not there, damaged, or no classifier; `hint` says what to do then.
    """
    weights, sidecar = _read_files(path, missing, hint)
    where, name = _named(path), path.stem if path else SHIPPED_NAME
    if hashlib.sha256(weights).hexdigest() != sidecar.get("sha256"):
        raise StabilityError(f"{where}: damaged: its hash is not the one in {Path(where).stem}.json")
    try:
        classifier = _blank(sidecar["channels"], sidecar["image_size"], len(sidecar["classes"]))
        classifier.load_state_dict(load_tensors(weights))
        classifier.name, classifier.sha256 = name, sidecar["sha256"]
        sidecar["dataset_sha256"]
    except (KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise StabilityError(f"{where}: is no classifier of this program") from error
    return classifier.eval().requires_grad_(False), sidecar


def _named(path: Path | None) -> str:
    return str(path) if path else f"{SHIPPED_NAME}.safetensors"


def classifier_path(dataset: Dataset) -> Path:
    """Where `stability classifier train` puts a data set's classifier, in the user's data folder.

    Each size that is not the data set's own has its file.
    """
    size = None if dataset.native else dataset.image_size
    return _user_folder() / f"{_default_name(dataset, size)}.safetensors"


def train_classifier(
    dataset: Dataset,
    *,
    seed: int,
    epochs: int,
    device: torch.device,
    progress: Callable[[EpochReport], None] = lambda report: None,
) -> TrainedClassifier:
    """Train a classifier from scratch on all training images; the last weights are the result.

    AdamW under a one-cycle schedule on randomly shifted, turned, zoomed and noisy images (colour ones
    also mirrored). The same seed, device and number of threads give the same weights, and the global random
    state stays as it is. Raises StabilityError when there are fewer training images than one batch, and for
    data sets that are evaluated without a classifier of their own.
    """
    if dataset.problem is not None or dataset.name == STACKED_DIGITS:
        raise StabilityError(f"{dataset.name}: needs no classifier of its own")
    if len(dataset.train) < _BATCH:
        raise StabilityError(
            f"{dataset.name}: {len(dataset.train)} training images are too few for a classifier; "
            f"at least {_BATCH} are needed"
        )
    generator = torch.Generator().manual_seed(seed)
    model = _initial_classifier(dataset, seed).to(device)
    steps = epochs * (len(dataset.train) // _BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=_LR, weight_decay=_WEIGHT_DECAY, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _LR, total_steps=max(steps, _MIN_SCHEDULE), pct_start=0.2, cycle_momentum=False
    )
    with _deterministic():
        for epoch in range(1, epochs + 1):
            start = time.perf_counter()
            loss, accuracy = _train_epoch(model, dataset, optimizer, schedule, generator)
            progress(EpochReport(epoch, epochs, loss, accuracy, time.perf_counter() - start))
    classifier = folded(model)
    return TrainedClassifier(
        classifier=classifier,
        accuracy=measure_accuracy(classifier, dataset),
        dataset=dataset.name,
        dataset_sha256=dataset.sha256,
        classes=dataset.classes,
        seed=seed,
        epochs=epochs,
        device=device.type,
        threads=torch.get_num_threads(),
    )


def save_classifier(trained: TrainedClassifier, path: Path) -> Path:
    """Write the weights to `path` (.safetensors) and what they are to a .json of the same name beside it."""
    model = trained.classifier
    state = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    weights = save_tensors(state)
    sidecar = {
        "name": path.stem,
        "sha256": hashlib.sha256(weights).hexdigest(),
        "accuracy": trained.accuracy,
        "dataset": trained.dataset,
        "dataset_sha256": trained.dataset_sha256,
        "classes": list(trained.classes),
        "channels": model.channels,
        "image_size": model.image_size,
        "features": FEATURES,
        "seed": trained.seed,
        "epochs": trained.epochs,
        "device": trained.device,
        "threads": trained.threads,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    try:
        write_whole(path, weights)
        write_whole(path.with_suffix(".json"), (json.dumps(sidecar, indent=2) + "\n").encode())
    except OSError as error:
        raise StabilityError(f"{path}: cannot be written: {error.strerror}") from error
    return path


def measure_accuracy(classifier: Classifier, dataset: Dataset) -> float:
    """Share of the test images that the classifier puts into their own class."""
    _, logits = classifier.describe(dataset.test)
    return (logits.argmax(1) == dataset.test_labels).cpu().double().mean().item()


def folded(model: Classifier) -> Classifier:
    """The same function, for inference, with the batchnorms' running statistics put into the weights."""
    model = model.eval()
    plain = _blank(model.channels, model.image_size, model.n_classes)
    maps = [fuse_conv_bn_eval(block[0], block[1]) for block in model.maps]  # type: ignore[index]
    for block, conv in zip(plain.maps, maps, strict=True):
        block[0].load_state_dict(conv.state_dict())  # type: ignore[index]
    embed = fuse_linear_bn_eval(model.embed[0], model.embed[1])  # type: ignore[type-var, arg-type]
    plain.embed[0].load_state_dict(embed.state_dict())
    plain.head.load_state_dict(model.head.state_dict())
    return plain.to(next(model.parameters()).device).eval().requires_grad_(False)


def _conv(channels: int, out: int, stride: int, norm: bool) -> nn.Sequential:
    conv = nn.Conv2d(channels, out, 3, stride, 1, bias=not norm)
    return nn.Sequential(conv, *([nn.BatchNorm2d(out)] if norm else []), nn.ReLU())


def _blank(channels: int, image_size: int, n_classes: int) -> Classifier:
    with torch.random.fork_rng(devices=[]):  # its weights are drawn, only to be overwritten
        return Classifier(channels, image_size, n_classes)


def _initial_classifier(dataset: Dataset, seed: int) -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Classifier(dataset.channels, dataset.image_size, len(dataset.classes), norm=True)


def _train_epoch(
    model: Classifier,
    dataset: Dataset,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    generator: torch.Generator,
) -> tuple[float, float]:
    device = next(model.parameters()).device
    order = torch.randperm(len(dataset.train), generator=generator)
    total = torch.zeros(2, device=device)
    batches = torch.split(order[: len(order) // _BATCH * _BATCH], _BATCH)
    model.train()
    for rows in batches:
        index = rows.to(dataset.train.device)
        images = _augmented(to_unit(dataset.train[index]).to(device), generator)
        labels: Int64[Tensor, " n"] = dataset.train_labels[index].to(device)
        _, logits = model(images)
        loss = F.cross_entropy(logits, labels)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        total += torch.stack([loss.detach(), (logits.argmax(1) == labels).float().mean()])
    mean_loss, accuracy = (total / len(batches)).tolist()
    return mean_loss, accuracy


def _augmented(images: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "n c h w"]:
    n, channels = images.shape[:2]
    draw = 2 * torch.rand(5, n, generator=generator) - 1
    angle, zoom = _MAX_ROTATION * draw[0], 1 + _MAX_ZOOM * draw[1]
    mirror = draw[4].sign() if channels == 3 else torch.ones(n)
    cos, sin = angle.cos() * zoom, angle.sin() * zoom
    across, down = 2 * _MAX_SHIFT * draw[2], 2 * _MAX_SHIFT * draw[3]
    rows = [torch.stack([cos * mirror, -sin, across], 1), torch.stack([sin * mirror, cos, down], 1)]
    theta = torch.stack(rows, 1).to(images.device)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    level = _MAX_NOISE * torch.rand(n, 1, 1, 1, generator=generator)
    noise = level * torch.randn(images.shape, generator=generator)
    return (moved + noise.to(images.device)).clamp(-1, 1)


@contextmanager
def _deterministic() -> Iterator[None]:
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        yield


def _read_files(path: Path | None, missing: str, hint: str) -> tuple[bytes, dict[str, Any]]:
    packaged = resources.files("stability") / "data"
    weights = path or packaged / f"{SHIPPED_NAME}.safetensors"
    sidecar = path.with_suffix(".json") if path else packaged / f"{SHIPPED_NAME}.json"
    try:
        return weights.read_bytes(), dict(json.loads(sidecar.read_text(encoding="utf-8")))
    except OSError as error:
        raise StabilityError(f"{missing}no classifier at {weights}; {hint}") from error
    except (ValueError, TypeError) as error:
        raise StabilityError(f"{sidecar}: is no classifier's description; {hint}") from error


def _user_folder() -> Path:
    return platformdirs.user_data_path("stability") / "classifiers"


def _default_name(dataset: Dataset, size: int | None = None) -> str:
    return "_".join([dataset.name.replace("-", "_"), *([str(size)] if size else []), "cnn"])


def _hint(dataset: Dataset) -> str:
    name = "folder:PATH" if dataset.name.startswith("folder-") else dataset.name
    size = "" if dataset.native else f" --image-size {dataset.image_size}"
    return f"run `stability classifier train --dataset {name}{size}`"

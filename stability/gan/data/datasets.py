"""Real examples: MNIST as embedded in the package, others through torchvision, folders of images, points.

A data set is loaded once per process, whole, on the device: images as uint8, points as float32. May not
import store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from dataclasses import dataclass
from functools import cache
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import NoReturn

import numpy as np
import platformdirs
import torch
from jaxtyping import Float, Float32, Int64, UInt8
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from stability.errors import StabilityError
from stability.gan.data.points import PROBLEMS, PointProblem, draw_problem
from stability.gan.data.sparse_images import unpacked
from stability.gan.data.stacked_digits import CLASSES, stack_parts
from stability.spec.problems import one_line

STACKED_DIGITS = "digits-stacked"
IMAGE_SIZES = (28, 32, 64)
FOLDER_IMAGE_SIZE = 32
MNIST_SHA256 = "48a361e87a762f63be259a0d80b75a98d8eba82f11805befa7f7e1180c1e1162"
_FOLDER = "folder:"
_HELD_OUT = 10
_CHUNK = 4096
_MAX_PATH = 1_000
_SUBSET_SEED = 20_210_616
"""Of the order that small training sets are taken from: the same in every study."""


@dataclass(frozen=True)
class Dataset:
    """Images and labels, split into training and test, all of them on one device; images are square.

    Points are images of one pixel whose channels are the coordinates; `problem` tells that they are points.
    """

    name: str
    """As the study file's name for it, but `folder-NAME` for a folder."""
    train: UInt8[Tensor, "n_train c h w"] | Float32[Tensor, "n_train c h w"]
    train_labels: Int64[Tensor, " n_train"]
    test: UInt8[Tensor, "n_test c h w"] | Float32[Tensor, "n_test c h w"]
    test_labels: Int64[Tensor, " n_test"]
    classes: tuple[str, ...]
    sha256: str
    """Of the images, the labels and their shapes."""
    native: bool = True
    """Whether the images have the size that they have where none is asked for."""
    problem: PointProblem | None = None
    """What the points were drawn from; None for images."""

    @property
    def channels(self) -> int:
        """1 for grey images, 3 for colour; the number of a point's coordinates."""
        return self.train.shape[1]

    @property
    def image_size(self) -> int:
        """Height and width, in pixels."""
        return self.train.shape[-1]


@dataclass(frozen=True)
class _Arrays:
    train: UInt8[Tensor, "n_train c h w"] | Float32[Tensor, "n_train c h w"]
    train_labels: Int64[Tensor, " n_train"]
    test: UInt8[Tensor, "n_test c h w"] | Float32[Tensor, "n_test c h w"]
    test_labels: Int64[Tensor, " n_test"]
    classes: tuple[str, ...]


def load_dataset(
    name: str,
    *,
    device: torch.device,
    data_root: Path | None = None,
    download: bool = False,
    image_size: int | None = None,
) -> Dataset:
    """Load a data set by the study file's name for it; the same arguments give the same object.

    `image_size` is 28, 32 or 64; None keeps the native size (32 for folders). Folders are cropped to
    their centre square; every tenth image of a class, from its first on, is held out as test image.
    torchvision's data sets are looked for under `data_root` (by default the user's data folder of this
    program) and downloaded only when asked. Raises StabilityError for an unknown name, missing or
    damaged data, and sizes that are not offered.
    """
    if image_size is not None and name in PROBLEMS:
        raise StabilityError(f"{name}: image_size {image_size} does not apply to points; leave it out")
    if image_size is not None and image_size not in IMAGE_SIZES:
        raise StabilityError(f"{name}: image_size {image_size} is not one of {_listed(IMAGE_SIZES)}")
    if name.startswith(_FOLDER):
        return _load(name, device, None, False, image_size or FOLDER_IMAGE_SIZE)
    if name in ("mnist", STACKED_DIGITS, *PROBLEMS):
        return _load(name, device, None, False, image_size)
    if name not in _TORCHVISION:
        allowed = _listed(("mnist", *_TORCHVISION, STACKED_DIGITS, *PROBLEMS, "folder:PATH"))
        raise StabilityError(f"dataset: {name!r} is not known; allowed: {allowed}")
    root = data_root or platformdirs.user_data_path("stability") / "datasets"
    return _load(name, device, root, download, image_size)


def training_subset(total: int, n: int) -> Int64[Tensor, " n"]:
    """Which `n` of `total` training images small training sets consist of, on the CPU.

    The same in every run, and a part of every larger one. Raises StabilityError where n > total.
    """
    if n > total:
        raise StabilityError(f"train_size: {n} is more than the {total} training images there are")
    return torch.randperm(total, generator=torch.Generator().manual_seed(_SUBSET_SEED))[:n]


def to_unit(
    images: UInt8[Tensor, "*shape"] | Float[Tensor, "*shape"], dtype: torch.dtype = torch.float32
) -> Float[Tensor, "*shape"]:
    """Map pixel values 0..255 to -1..1; floats, which points and images in -1..1 are, keep their values."""
    if images.is_floating_point():
        return images.to(dtype)
    return images.to(dtype).div_(127.5).sub_(1)


@cache
def _load(
    name: str, device: torch.device, root: Path | None, download: bool, image_size: int | None
) -> Dataset:
    arrays = _read(name, root, download, image_size)
    if name.startswith(_FOLDER):
        folder = Path(name.removeprefix(_FOLDER)).expanduser().resolve()
        name = "folder-" + re.sub(r"[^A-Za-z0-9_-]+", "-", folder.name)
    train, test = _resized(arrays.train, image_size), _resized(arrays.test, image_size)
    native_size = FOLDER_IMAGE_SIZE if name.startswith("folder-") else arrays.train.shape[-1]
    return Dataset(
        name=name,
        train=train.to(device),
        train_labels=arrays.train_labels.to(device),
        test=test.to(device),
        test_labels=arrays.test_labels.to(device),
        classes=arrays.classes,
        sha256=_digest(train, arrays.train_labels, test, arrays.test_labels),
        native=train.shape[-1] == native_size,
        problem=PROBLEMS.get(name),
    )


def _read(name: str, root: Path | None, download: bool, image_size: int | None) -> _Arrays:
    if name.startswith(_FOLDER):
        assert image_size is not None
        return _read_folder(Path(name.removeprefix(_FOLDER)).expanduser(), image_size)
    if name in PROBLEMS:
        return _draw_points(PROBLEMS[name])
    if root is not None:
        return _read_torchvision(name, root, download)
    mnist = _read_mnist((resources.files("stability") / "data" / "mnist.npz").read_bytes())
    return _stack_digits(mnist) if name == STACKED_DIGITS else mnist


def _draw_points(problem: PointProblem) -> _Arrays:
    (train, train_labels), (test, test_labels) = draw_problem(problem)
    return _Arrays(train, train_labels, test, test_labels, problem.names)


def _stack_digits(mnist: _Arrays) -> _Arrays:
    (train, train_labels), (test, test_labels) = stack_parts(
        mnist.train, mnist.train_labels, mnist.test, mnist.test_labels
    )
    return _Arrays(train, train_labels, test, test_labels, CLASSES)


def _read_mnist(file: bytes) -> _Arrays:
    if hashlib.sha256(file).hexdigest() != MNIST_SHA256:
        raise StabilityError("mnist: the embedded data file is damaged; install stability again")
    with np.load(BytesIO(file), allow_pickle=False) as arrays:
        return _Arrays(
            train=torch.from_numpy(unpacked(arrays["train_mask"], arrays["train_values"], 28)).unsqueeze(1),
            train_labels=torch.from_numpy(arrays["train_labels"]).long(),
            test=torch.from_numpy(unpacked(arrays["test_mask"], arrays["test_values"], 28)).unsqueeze(1),
            test_labels=torch.from_numpy(arrays["test_labels"]).long(),
            classes=tuple(str(digit) for digit in range(10)),
        )


_TORCHVISION = {"fashion-mnist": "FashionMNIST", "kmnist": "KMNIST", "cifar10": "CIFAR10"}
"""Classes of torchvision.datasets, which takes a second to import: only who reads with it does."""


def _read_torchvision(name: str, root: Path, download: bool) -> _Arrays:
    from torchvision import datasets

    make = getattr(datasets, _TORCHVISION[name])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the readers' own deprecations are no news to our users
            train = make(root, train=True, download=download)
            test = make(root, train=False, download=download)
    except Exception as error:
        if download:
            raise StabilityError(f"{name}: download into {root} failed: {_one_line(error)}") from error
        if isinstance(error, RuntimeError) and "not found" in str(error):
            message = f"{name}: no data under {root}; give --data-root FOLDER or --download"
            raise StabilityError(message) from error
        raise StabilityError(f"{name}: the data under {root} is damaged: {_one_line(error)}") from error
    return _Arrays(
        train=_channels_first(train.data),
        train_labels=torch.as_tensor(train.targets).long(),
        test=_channels_first(test.data),
        test_labels=torch.as_tensor(test.targets).long(),
        classes=tuple(train.classes),
    )


def _channels_first(data: Tensor | NDArray[np.uint8]) -> UInt8[Tensor, "n c h w"]:
    images = torch.as_tensor(data)
    return images.unsqueeze(1) if images.dim() == 3 else images.permute(0, 3, 1, 2).contiguous()


def _read_folder(folder: Path, size: int) -> _Arrays:
    classes, samples = _list_folder(folder)
    labels = torch.tensor([label for _, label in samples], dtype=torch.int64)
    counts = torch.bincount(labels, minlength=len(classes)).tolist()
    for label, count in zip(classes, counts, strict=True):
        if count < 2:
            words = f"class {one_line(label)} has {count} image; at least 2 are needed"
            raise StabilityError(f"folder:{folder}: {words}")
    images = torch.stack([_read_image(path, size) for path, _ in samples])
    position = torch.cat([torch.arange(count) for count in counts])
    held_out = position % _HELD_OUT == 0
    return _Arrays(
        train=images[~held_out],
        train_labels=labels[~held_out],
        test=images[held_out],
        test_labels=labels[held_out],
        classes=tuple(classes),
    )


def _list_folder(folder: Path) -> tuple[list[str], list[tuple[str, int]]]:
    """The names of the classes, and each image's path and class; images without classes are of one."""
    from torchvision.datasets.folder import IMG_EXTENSIONS, find_classes, make_dataset

    try:
        if not folder.is_dir():
            raise StabilityError(f"folder:{folder}: no such folder")
        for _ in os.walk(folder, onerror=_refuse, followlinks=True):
            pass  # torchvision takes a folder that cannot be read for an empty one
        if any(path.suffix.lower() in IMG_EXTENSIONS for path in folder.iterdir()):
            top, classes = folder.resolve().parent, [folder.resolve().name]
        else:
            top, (classes, _) = folder, find_classes(str(folder))
        places = {name: place for place, name in enumerate(classes)}
        return classes, make_dataset(str(top), places, IMG_EXTENSIONS)
    except FileNotFoundError as error:
        message = (
            f"folder:{folder}: needs images, or one sub-folder of them per class, as in {folder}/CLASS/1.png"
        )
        raise StabilityError(message) from error
    except OSError as error:
        message = f"folder:{folder}: {one_line(str(error.filename), _MAX_PATH)}: {error.strerror}"
        raise StabilityError(message) from error


def _refuse(error: OSError) -> NoReturn:
    raise error


def _read_image(path: str, size: int) -> UInt8[Tensor, "3 h w"]:
    try:
        if not Path(path).is_file():  # of a pipe the end would never come
            raise OSError("not a file")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as of odd palettes and metadata
            with Image.open(path) as file:
                image = file.convert("RGB")
    except MemoryError:
        raise
    except Exception as error:  # a damaged file may raise anything in one of PIL's readers
        where = one_line(path, _MAX_PATH)
        raise StabilityError(f"{where}: is no readable image: {_one_line(error)}") from error
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    square = image.crop(box).resize((size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(square)).permute(2, 0, 1).contiguous()


def _resized(
    images: UInt8[Tensor, "n c h w"] | Float32[Tensor, "n c h w"], size: int | None
) -> UInt8[Tensor, "n c h2 w2"] | Float32[Tensor, "n c h2 w2"]:
    if size is None or images.shape[-1] == size:
        return images
    chunks = [
        interpolate(chunk.float(), (size, size), mode="bilinear", antialias=True).round().clamp(0, 255).byte()
        for chunk in torch.split(images, _CHUNK)
    ]
    return torch.cat(chunks)


def _digest(*tensors: Tensor) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tuple(tensor.shape)}".encode())
        digest.update(np.ascontiguousarray(tensor.numpy()).data)
    return digest.hexdigest()


def _one_line(error: Exception) -> str:
    return one_line(" ".join(str(error).split()), _MAX_PATH) or type(error).__name__


def _listed(values: tuple[object, ...]) -> str:
    return ", ".join(str(value) for value in values)

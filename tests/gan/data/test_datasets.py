from __future__ import annotations

import errno
import io
import os
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from stability.errors import StabilityError
from stability.gan.data import datasets as data
from stability.gan.data.datasets import _read_image, load_dataset, to_unit, training_subset
from stability.spec.study import DATASETS, POINT_DATASETS

CPU = torch.device("cpu")


def write_idx(path: Path, array: np.ndarray) -> None:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def write_fashion(root: Path) -> np.ndarray:
    raw = root / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (6, 28, 28), dtype=np.uint8)
    for part, chosen in (("train", images[:4]), ("t10k", images[4:])):
        write_idx(raw / f"{part}-images-idx3-ubyte", chosen)
        write_idx(raw / f"{part}-labels-idx1-ubyte", np.arange(len(chosen)))
    return images


def write_image(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (40, 40)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def test_mnist_is_embedded_whole() -> None:
    mnist = load_dataset("mnist", device=CPU)
    assert mnist.train.shape == (60_000, 1, 28, 28)
    assert mnist.test.shape == (10_000, 1, 28, 28)
    assert (mnist.channels, mnist.image_size, len(mnist.classes)) == (1, 28, 10)
    counts = torch.bincount(mnist.train_labels).tolist()
    assert counts == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]  # as published
    assert torch.bincount(mnist.test_labels).tolist()[:3] == [980, 1135, 1032]


def test_a_data_set_is_loaded_once() -> None:
    assert load_dataset("mnist", device=CPU) is load_dataset("mnist", device=CPU)
    assert load_dataset("mnist", device=CPU) is load_dataset("mnist", device=CPU, data_root=Path("elsewhere"))


def test_damaged_mnist_is_refused() -> None:
    with pytest.raises(StabilityError, match="mnist: the embedded data file is damaged"):
        data._read_mnist(b"not the file")


def test_to_unit_maps_black_and_white_to_the_ends() -> None:
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8)
    assert to_unit(pixels, torch.float64).tolist() == pytest.approx([-1, -0.6, 1], abs=1e-15)
    assert pixels.tolist() == [0, 51, 255]


def test_to_unit_leaves_points_where_they_are() -> None:
    points = torch.tensor([-4.0, 0.25, 3e5])
    assert to_unit(points).tolist() == points.tolist()
    assert to_unit(points, torch.float64).dtype == torch.float64


def test_every_name_of_a_study_file_is_known() -> None:
    with pytest.raises(StabilityError) as caught:
        load_dataset("nothing", device=CPU)
    listed = str(caught.value).partition("allowed: ")[2].split(", ")
    assert sorted(listed) == sorted([*DATASETS, "folder:PATH"])


@pytest.mark.parametrize("name", POINT_DATASETS)
def test_points_are_float_images_of_one_pixel(name: str) -> None:
    points = load_dataset(name, device=CPU)
    assert points.problem is not None
    modes, dim = points.problem.centres.shape
    assert points.train.shape == (100_000, dim, 1, 1)
    assert points.test.shape == (10_000, dim, 1, 1)
    assert points.train.dtype == torch.float32
    assert (points.channels, points.image_size, points.native) == (dim, 1, True)
    assert len(points.classes) == modes
    assert len(points.sha256) == 64
    assert points is load_dataset(name, device=CPU)
    with pytest.raises(StabilityError, match=f"{name}: image_size 32 does not apply to points"):
        load_dataset(name, device=CPU, image_size=32)


def test_a_small_training_set_is_part_of_a_larger_one() -> None:
    small, large = training_subset(1000, 10), training_subset(1000, 300)
    assert torch.equal(small, large[:10])
    assert len(set(large.tolist())) == 300
    assert sorted(training_subset(50, 50).tolist()) == list(range(50))
    assert small.tolist() != list(range(10))
    with pytest.raises(StabilityError, match="train_size: 51 is more than the 50 training images"):
        training_subset(50, 51)


def test_torchvision_sets_are_read_from_the_data_root(tmp_path: Path) -> None:
    images = write_fashion(tmp_path)
    fashion = load_dataset("fashion-mnist", device=CPU, data_root=tmp_path)
    assert np.array_equal(fashion.train.numpy()[:, 0], images[:4])
    assert np.array_equal(fashion.test.numpy()[:, 0], images[4:])
    assert fashion.test_labels.tolist() == [0, 1]
    assert fashion.classes[0] == "T-shirt/top"


def test_colour_images_become_channels_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)

    class Reader:
        def __init__(self, root: Path, *, train: bool, download: bool) -> None:
            self.data, self.targets, self.classes = pixels, [0, 1, 0, 1, 1], ["a", "b"]

    monkeypatch.setattr("torchvision.datasets.CIFAR10", Reader)
    cifar = load_dataset("cifar10", device=CPU, data_root=tmp_path)
    assert cifar.train.shape == (5, 3, 32, 32)
    assert np.array_equal(cifar.train[2, 1].numpy(), pixels[2, :, :, 1])


@pytest.mark.parametrize("name", ["fashion-mnist", "kmnist", "cifar10"])
def test_missing_data_says_how_to_get_it(name: str, tmp_path: Path) -> None:
    with pytest.raises(StabilityError) as caught:
        load_dataset(name, device=CPU, data_root=tmp_path)
    assert str(caught.value) == f"{name}: no data under {tmp_path}; give --data-root FOLDER or --download"


def test_truncated_data_are_called_damaged(tmp_path: Path) -> None:
    write_fashion(tmp_path)
    file = tmp_path / "FashionMNIST" / "raw" / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(StabilityError, match=r"fashion-mnist: the data under .* is damaged"):
        load_dataset("fashion-mnist", device=CPU, data_root=tmp_path)


def test_images_are_resized_on_request(tmp_path: Path) -> None:
    write_fashion(tmp_path)
    native = load_dataset("fashion-mnist", device=CPU, data_root=tmp_path)
    large = load_dataset("fashion-mnist", device=CPU, data_root=tmp_path, image_size=64)
    assert large.train.shape == (4, 1, 64, 64)
    assert large.sha256 != native.sha256
    assert (native.native, large.native) == (True, False)
    assert large.train.double().mean().item() == pytest.approx(native.train.double().mean().item(), rel=0.02)


def test_wrong_names_and_sizes_list_the_right_ones() -> None:
    with pytest.raises(StabilityError, match="'minst' is not known; allowed: mnist, fashion-mnist"):
        load_dataset("minst", device=CPU)
    with pytest.raises(StabilityError, match="mnist: image_size 48 is not one of 28, 32, 64"):
        load_dataset("mnist", device=CPU, image_size=48)


def test_a_folder_holds_out_every_tenth_image_of_each_class(tmp_path: Path) -> None:
    root = tmp_path / "my shapes"
    for index in range(20):
        write_image(root / "red" / f"{index:02}.png", (255, index, 0))
    for index in range(3):
        write_image(root / "blue" / f"{index:02}.png", (0, index, 255))
    shapes = load_dataset(f"folder:{root}", device=CPU)
    assert shapes.name == "folder-my-shapes"
    assert shapes.classes == ("blue", "red")
    assert shapes.train.shape == (20, 3, 32, 32)
    assert shapes.test_labels.tolist() == [0, 1, 1]
    assert shapes.test[:, 1, 0, 0].tolist() == [0, 0, 10]  # the green channel numbers the images


def test_folder_images_are_cropped_to_their_centre_square(tmp_path: Path) -> None:
    image = Image.new("RGB", (90, 30), (255, 0, 0))
    image.paste((0, 255, 0), (30, 0, 60, 30))
    for index in range(2):
        (tmp_path / "a").mkdir(exist_ok=True)
        image.save(tmp_path / "a" / f"{index}.png")
    cropped = load_dataset(f"folder:{tmp_path}", device=CPU, image_size=28).train[0]
    assert [
        load_dataset(f"folder:{tmp_path}", device=CPU, image_size=size).native for size in (None, 32, 28)
    ] == [
        True,
        True,
        False,
    ]
    assert cropped.shape == (3, 28, 28)
    assert cropped.float().mean((1, 2)).tolist() == [0, 255, 0]


def test_images_without_sub_folders_are_one_class(tmp_path: Path) -> None:
    root = tmp_path / "faces"
    for index in range(20):
        write_image(root / f"{index:02}.png", (255, index, 0))
    faces = load_dataset(f"folder:{root}", device=CPU)
    assert faces.classes == ("faces",)
    assert faces.train.shape == (18, 3, 32, 32)
    assert faces.test[:, 1, 0, 0].tolist() == [0, 10]


def test_folder_errors_name_the_place(tmp_path: Path) -> None:
    with pytest.raises(StabilityError, match=f"folder:{tmp_path}/none: no such folder"):
        load_dataset(f"folder:{tmp_path}/none", device=CPU)
    with pytest.raises(StabilityError, match="needs images, or one sub-folder of them per class"):
        load_dataset(f"folder:{tmp_path}", device=CPU)
    write_image(tmp_path / "a" / "0.png", (1, 2, 3))
    with pytest.raises(StabilityError, match="class a has 1 image; at least 2 are needed"):
        load_dataset(f"folder:{tmp_path}", device=CPU)
    (tmp_path / "a" / "1.png").write_bytes(b"no image")
    with pytest.raises(StabilityError, match=r"a/1\.png: is no readable image"):
        load_dataset(f"folder:{tmp_path}", device=CPU)


def bomb() -> bytes:
    """A PNG that says that it is 60,000 pixels wide and high."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        lambda path: path.symlink_to("nowhere"),
        lambda path: path.symlink_to(path.name),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(bomb()),
        lambda path: path.write_bytes(picture()[:3000]),
        lambda path: path.write_bytes(picture().replace(b"IDAT", b"JDAT")),
        lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\xff" * 60),
    ],
    ids=["pipe", "dead link", "loop", "empty", "bomb", "cut", "no data", "nonsense"],
)
def test_an_odd_file_among_images_is_named_in_one_line(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    write_image(tmp_path / "a" / "0.png", (1, 2, 3))
    odd = tmp_path / "a" / "two\nlines.png"
    make(odd)
    with pytest.raises(StabilityError, match=r"a/two\\nlines\.png: is no readable image: .") as told:
        load_dataset(f"folder:{tmp_path}", device=CPU)
    assert "\n" not in str(told.value)


def test_every_damage_of_an_image_is_an_error_of_ours_or_still_an_image(tmp_path: Path) -> None:
    """Whatever PIL's readers make of it."""
    whole, chance = picture(), random.Random(5)
    write_image(tmp_path / "a" / "0.png", (1, 2, 3))
    refused = 0
    for case in range(150):
        content = bytearray(whole)
        for _ in range(3):
            content[chance.randrange(60 if case % 2 else len(content))] ^= 1 << chance.randrange(8)
        (tmp_path / "a" / "1.png").write_bytes(content)
        try:
            _read_image(str(tmp_path / "a" / "1.png"), 32)
        except StabilityError:
            refused += 1
    assert refused > 75


def test_a_folder_that_cannot_be_read_is_not_taken_for_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root everything can be read, so the answer of the system is made up."""
    write_image(tmp_path / "a" / "0.png", (1, 2, 3))
    write_image(tmp_path / "a" / "1.png", (1, 2, 3))
    (tmp_path / "a" / "shut").mkdir()
    list_names = os.scandir

    def scandir(path: str) -> object:
        if Path(path).name == "shut":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return list_names(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(StabilityError, match=f"^folder:{tmp_path}: {tmp_path}/a/shut: Permission denied$"):
        load_dataset(f"folder:{tmp_path}", device=CPU)

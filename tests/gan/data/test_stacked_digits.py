from __future__ import annotations

import pytest
import torch

from stability.gan.data.datasets import Dataset, load_dataset
from stability.gan.data.stacked_digits import triple_label

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def stacked() -> Dataset:
    return load_dataset("digits-stacked", device=CPU)


def rows_by_image(images: torch.Tensor, labels: torch.Tensor) -> dict[bytes, int]:
    return {image.numpy().tobytes(): int(label) for image, label in zip(images, labels, strict=True)}


def test_labels_are_the_digits_of_the_channels() -> None:
    assert triple_label(torch.tensor([[0, 0, 7], [1, 2, 3], [9, 9, 9]])).tolist() == [7, 123, 999]


def test_triples_are_digits_of_their_own_part_with_their_labels(stacked: Dataset) -> None:
    mnist = load_dataset("mnist", device=CPU)
    for images, labels, singles, digits in (
        (stacked.train, stacked.train_labels, mnist.train, mnist.train_labels),
        (stacked.test, stacked.test_labels, mnist.test, mnist.test_labels),
    ):
        known = rows_by_image(singles[:, 0], digits)
        for image, label in zip(images[:300], labels[:300].tolist(), strict=True):
            assert [known[channel.numpy().tobytes()] for channel in image] == [
                label // 100,
                label // 10 % 10,
                label % 10,
            ]


def test_size_and_classes(stacked: Dataset) -> None:
    assert (stacked.train.shape, stacked.test.shape) == ((60_000, 3, 28, 28), (10_000, 3, 28, 28))
    assert stacked.train.dtype == torch.uint8
    assert (stacked.classes[0], stacked.classes[42], stacked.classes[-1]) == ("000", "042", "999")
    assert len(stacked.train_labels.unique()) == len(stacked.test_labels.unique()) == 1000
    assert stacked.sha256 == load_dataset("digits-stacked", device=CPU).sha256
    assert stacked.problem is None

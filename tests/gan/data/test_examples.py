from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import label

from stability.gan.data.datasets import load_dataset
from stability.gan.data.examples import real_examples

CPU = torch.device("cpu")


def test_examples_are_held_out_images_and_always_the_same() -> None:
    dataset = load_dataset("mnist", device=CPU)
    examples = real_examples(dataset, 16)
    assert (examples.shape, examples.dtype) == ((16, 28, 28, 1), np.uint8)
    held_out = dataset.test.numpy()
    assert all((held_out[:, 0] == image[:, :, 0]).all((1, 2)).any() for image in examples)
    np.testing.assert_array_equal(examples, real_examples(dataset, 16))
    assert len({image.tobytes() for image in examples}) == 16


@pytest.mark.parametrize(("name", "modes"), [("ring", 8), ("grid", 25)])
def test_points_are_one_picture_of_all_modes(name: str, modes: int) -> None:
    (picture,) = real_examples(load_dataset(name, device=CPU), 16)
    assert picture.shape == (64, 64, 1)
    assert label(picture[:, :, 0] > 0, np.ones((3, 3)))[1] == modes

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from stability.errors import StabilityError
from stability.gan.data.datasets import Dataset, load_dataset, to_unit
from stability.gan.data.points import PROBLEMS
from stability.gan.metrics.describers import (
    ClassifierDescriber,
    Describer,
    PointDescriber,
    StackedDescriber,
    load_describer,
)
from stability.gan.metrics.manifold import distances

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def mnist() -> Dataset:
    return load_dataset("mnist", device=CPU)


@pytest.fixture(scope="module")
def stacked() -> Dataset:
    return load_dataset("digits-stacked", device=CPU)


def points(*rows: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(rows)[:, :, None, None]


@pytest.mark.parametrize(
    ("dataset", "kind", "name"),
    [
        ("mnist", ClassifierDescriber, "mnist_cnn"),
        ("digits-stacked", StackedDescriber, "mnist_cnn_x3"),
        ("ring", PointDescriber, "points"),
        ("dirac", PointDescriber, "points"),
    ],
)
def test_every_data_set_has_its_describer(dataset: str, kind: type, name: str) -> None:
    found = load_describer(load_dataset(dataset, device=CPU), device=CPU)
    assert isinstance(found, Describer)
    assert isinstance(found, kind)
    assert found.name == name
    assert len(found.sha256) == 64


def test_points_take_no_classifier() -> None:
    ring = load_dataset("ring", device=CPU)
    with pytest.raises(StabilityError, match=r"own\.safetensors: ring needs no classifier"):
        load_describer(ring, device=CPU, path=Path("own.safetensors"))


def test_a_classifiers_likeliest_class_and_its_probability(mnist: Dataset) -> None:
    describer = load_describer(mnist, device=CPU)
    assert isinstance(describer, ClassifierDescriber)
    found = describer.describe(mnist.test[:200])
    features, logits = describer.classifier.describe(mnist.test[:200])
    assert torch.equal(found.features, features)
    assert torch.equal(found.modes, logits.argmax(1))
    assert torch.equal(found.confidence, logits.double().softmax(1).amax(1))
    assert (found.modes == mnist.test_labels[:200]).double().mean() > 0.98
    floats = describer.describe(to_unit(mnist.test[:200]))
    assert torch.equal(floats.features, found.features)


def test_what_is_not_finite_has_no_confidence(mnist: Dataset) -> None:
    images = to_unit(mnist.test[:3])
    images[1, 0, 5, 5] = math.nan
    for describer, shown in (
        (load_describer(mnist, device=CPU), images),
        (PointDescriber(PROBLEMS["ring"]), points((1.0, 0.0), (math.nan, 0.0), (0.0, 1.0))),
        (PointDescriber(PROBLEMS["ring"]), points((1.0, 0.0), (0.0, -math.inf), (0.0, 1.0))),
    ):
        found = describer.describe(shown)
        assert found.confidence.isnan().tolist() == [False, True, False]
        assert not found.is_finite()
        assert found.first(1).is_finite()
        unknown = found.unknown()
        assert unknown.features.isnan().all()
        assert unknown.confidence.isnan().all()


def test_stacked_digits_are_described_channel_by_channel(mnist: Dataset, stacked: Dataset) -> None:
    single, triple = load_describer(mnist, device=CPU), load_describer(stacked, device=CPU)
    images = stacked.test[:100]
    found = triple.describe(images)
    channels = [single.describe(images[:, k : k + 1]) for k in range(3)]
    torch.testing.assert_close(found.features, torch.cat([one.features for one in channels], 1))
    a, b, c = (one.modes for one in channels)
    assert torch.equal(found.modes, 100 * a + 10 * b + c)
    p, q, r = (one.confidence for one in channels)
    torch.testing.assert_close(found.confidence, p * q * r, rtol=1e-6, atol=0)
    assert (found.modes == stacked.test_labels[:100]).double().mean() > 0.95


def test_points_belong_to_the_nearest_centre_within_the_tolerance() -> None:
    describer = PointDescriber(PROBLEMS["ring"])
    found = describer.describe(points((1.0299, 0.0), (1.0301, 0.0), (0.0, 0.971), (-5.0, 0.1), (0.72, 0.7)))
    assert found.modes.tolist() == [0, 0, 2, 4, 1]
    assert found.confidence.tolist() == [1, 0, 1, 0, 1]
    assert found.features[3].tolist() == pytest.approx([-5.0, 0.1])
    dirac = PointDescriber(PROBLEMS["dirac"]).describe(points((0.0,), (-0.099,), (0.101,), (1e30,)))
    assert dirac.modes.tolist() == [0, 0, 0, 0]
    assert dirac.confidence.tolist() == [1, 1, 0, 0]


def test_problems_have_different_hashes() -> None:
    assert len({PointDescriber(problem).sha256 for problem in PROBLEMS.values()}) == 3


def test_a_single_class_is_described_by_principal_components() -> None:
    images = torch.randint(
        0, 256, (64, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(3)
    )
    labels = torch.zeros(64, dtype=torch.int64)
    dataset = Dataset("folder-flat", images[:48], labels[:48], images[48:], labels[48:], ("flat",), "sha")
    describer = load_describer(dataset, device=torch.device("cpu"))
    found = describer.describe(images[:48])
    assert describer.name == "components"
    pixels = to_unit(images[:48]).flatten(1)
    centred = pixels - pixels.mean(0)
    # with as many components as pixels the features are the pixels, turned
    assert torch.allclose(distances(found.features, found.features), distances(centred, centred), atol=1e-4)
    assert (found.modes == 0).all()
    assert (found.confidence == 1).all()
    assert torch.equal(
        describer.describe(to_unit(images[:5])).features, describer.describe(images[:5]).features
    )
    broken = to_unit(images[:2]).clone()
    broken[1] = torch.nan
    assert describer.describe(broken).confidence.isnan().tolist() == [False, True]

from __future__ import annotations

import dataclasses
import json
from importlib import resources
from pathlib import Path

import platformdirs
import pytest
import torch

from stability.errors import StabilityError
from stability.gan.data.datasets import Dataset, load_dataset, to_unit
from stability.gan.metrics.classifier import (
    Classifier,
    EpochReport,
    TrainedClassifier,
    classifier_path,
    folded,
    load_classifier,
    measure_accuracy,
    save_classifier,
    train_classifier,
)

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def mnist() -> Dataset:
    return load_dataset("mnist", device=CPU)


@pytest.fixture(scope="module")
def small(mnist: Dataset) -> Dataset:
    rows, tests = slice(0, 512), slice(0, 300)
    return Dataset(
        name="small",
        train=mnist.train[rows],
        train_labels=mnist.train_labels[rows],
        test=mnist.test[tests],
        test_labels=mnist.test_labels[tests],
        classes=mnist.classes,
        sha256="small",
    )


@pytest.fixture(scope="module")
def trained(small: Dataset) -> TrainedClassifier:
    return train_classifier(small, seed=3, epochs=2, device=CPU)


def test_the_shipped_classifier_is_as_accurate_as_its_sidecar_says(mnist: Dataset) -> None:
    folder = resources.files("stability") / "data"
    sidecar = json.loads((folder / "mnist_cnn.json").read_text())
    classifier = load_classifier(mnist, device=CPU)
    accuracy = measure_accuracy(classifier, mnist)
    assert accuracy >= 0.994
    assert accuracy == pytest.approx(sidecar["accuracy"], abs=2e-4)  # other CPUs round differently
    assert sidecar["dataset_sha256"] == mnist.sha256
    assert (classifier.name, classifier.sha256) == ("mnist_cnn", sidecar["sha256"])
    assert not any(parameter.requires_grad for parameter in classifier.parameters())


def test_images_of_another_size_are_resized(mnist: Dataset) -> None:
    large = load_dataset("mnist", device=CPU).test[:200].repeat_interleave(2, 2).repeat_interleave(2, 3)
    classifier = load_classifier(mnist, device=CPU)
    _, logits = classifier.describe(large)
    assert (logits.argmax(1) == mnist.test_labels[:200]).double().mean() > 0.97


def test_speckled_digits_keep_their_classes(mnist: Dataset) -> None:
    images = to_unit(mnist.test[:1000])
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    _, logits = load_classifier(mnist, device=CPU).describe((images + 0.3 * noise).clamp(-1, 1))
    assert (logits.argmax(1) == mnist.test_labels[:1000]).double().mean() > 0.97


@pytest.mark.parametrize(("channels", "size", "classes"), [(1, 28, 10), (3, 32, 4), (3, 64, 2), (1, 32, 47)])
def test_any_size_has_64_features(channels: int, size: int, classes: int) -> None:
    classifier = Classifier(channels, size, classes).eval()
    images = torch.randint(0, 256, (300, channels, size, size), dtype=torch.uint8)
    features, logits = classifier.describe(images)
    assert features.shape == (300, 64)
    assert logits.shape == (300, classes)
    alone, _ = classifier(to_unit(images[299:]))
    torch.testing.assert_close(features[299:], alone, rtol=1e-4, atol=1e-5)


def test_folding_keeps_the_function() -> None:
    model = Classifier(1, 28, 10, norm=True)
    images = torch.rand(64, 1, 28, 28) * 2 - 1
    model.train()
    for _ in range(3):
        model(images)
    expected = model.eval()(images)
    for got, wanted in zip(folded(model)(images), expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)


def test_training_learns_and_reports_every_epoch(small: Dataset) -> None:
    reports: list[EpochReport] = []
    result = train_classifier(small, seed=0, epochs=6, device=CPU, progress=reports.append)
    assert [(report.epoch, report.epochs) for report in reports] == [(epoch, 6) for epoch in range(1, 7)]
    assert reports[-1].loss < reports[0].loss / 2
    assert reports[-1].accuracy > 0.6 > reports[0].accuracy
    assert result.accuracy == measure_accuracy(result.classifier, small)


def test_training_is_reproducible_and_leaves_the_global_state_alone(
    small: Dataset, trained: TrainedClassifier
) -> None:
    before = torch.get_rng_state()
    again = train_classifier(small, seed=3, epochs=2, device=CPU)
    assert torch.equal(torch.get_rng_state(), before)
    other = train_classifier(small, seed=4, epochs=1, device=CPU)
    for name, weight in trained.classifier.state_dict().items():
        assert torch.equal(weight, again.classifier.state_dict()[name])
    assert not torch.equal(trained.classifier.head.weight, other.classifier.head.weight)


def test_too_few_images_to_train_on(small: Dataset) -> None:
    tiny = Dataset("tiny", small.train[:9], small.train_labels[:9], small.test, small.test_labels, ("a",), "")
    with pytest.raises(StabilityError, match="tiny: 9 training images are too few"):
        train_classifier(tiny, seed=0, epochs=1, device=CPU)


def test_saved_and_loaded_it_is_the_same(small: Dataset, trained: TrainedClassifier, tmp_path: Path) -> None:
    path = save_classifier(trained, tmp_path / "new" / "small_cnn.safetensors")
    loaded = load_classifier(small, device=CPU, path=path)
    assert loaded.name == "small_cnn"
    images = to_unit(small.test)
    for got, wanted in zip(loaded(images), trained.classifier(images), strict=True):
        assert torch.equal(got, wanted)
    sidecar = json.loads(path.with_suffix(".json").read_text())
    assert (sidecar["seed"], sidecar["epochs"], sidecar["accuracy"]) == (3, 2, trained.accuracy)


def test_the_users_own_classifiers_are_found(
    small: Dataset, trained: TrainedClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platformdirs, "user_data_path", lambda name: tmp_path / name)
    with pytest.raises(StabilityError, match="run `stability classifier train --dataset small`"):
        load_classifier(small, device=CPU)
    assert save_classifier(trained, classifier_path(small)).parent == tmp_path / "stability" / "classifiers"
    assert load_classifier(small, device=CPU).sha256


def test_a_classifier_for_another_size_has_its_own_file(
    small: Dataset, trained: TrainedClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platformdirs, "user_data_path", lambda name: tmp_path / name)
    doubled = small.train.repeat_interleave(2, 2).repeat_interleave(2, 3)
    large = dataclasses.replace(small, train=doubled, test=doubled[:300], sha256="large", native=False)
    own, other = classifier_path(small), classifier_path(large)
    assert (own.name, other.name) == ("small_cnn.safetensors", "small_56_cnn.safetensors")
    with pytest.raises(StabilityError, match="train --dataset small --image-size 56`"):
        load_classifier(large, device=CPU)
    save_classifier(trained, own)
    assert load_classifier(large, device=CPU).name == "small_cnn"  # resizes what it is shown
    save_classifier(train_classifier(large, seed=0, epochs=1, device=CPU), other)
    resized = load_classifier(large, device=CPU)
    assert (resized.name, resized.image_size) == ("small_56_cnn", 56)
    assert load_classifier(small, device=CPU).image_size == 28


def test_files_that_do_not_belong_are_refused(
    mnist: Dataset, small: Dataset, trained: TrainedClassifier, tmp_path: Path
) -> None:
    path = save_classifier(trained, tmp_path / "small_cnn.safetensors")
    with pytest.raises(StabilityError, match="trained on other images than this mnist"):
        load_classifier(mnist, device=CPU, path=path)
    weights = bytearray(path.read_bytes())
    weights[-1] ^= 1
    path.write_bytes(weights)
    with pytest.raises(StabilityError, match="damaged: its hash is not the one in small_cnn"):
        load_classifier(small, device=CPU, path=path)
    path.with_suffix(".json").write_text("{")
    with pytest.raises(StabilityError, match="is no classifier's description"):
        load_classifier(small, device=CPU, path=path)


def test_an_unwritable_place_is_told(trained: TrainedClassifier, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StabilityError, match="cannot be written"):
        save_classifier(trained, tmp_path / "file" / "small_cnn.safetensors")


@pytest.mark.parametrize("name", ["ring", "dirac"])
def test_points_need_no_classifier(name: str) -> None:
    points = load_dataset(name, device=torch.device("cpu"))
    with pytest.raises(StabilityError, match=f"{name}: needs no classifier of its own"):
        train_classifier(points, seed=0, epochs=1, device=torch.device("cpu"))

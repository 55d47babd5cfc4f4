from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from cohorts import some_images
from torch import Tensor

from stability.errors import StabilityError
from stability.gan.data.datasets import load_dataset, to_unit
from stability.gan.metrics.classifier import Classifier, TrainedClassifier, folded, save_classifier
from stability.gan.metrics.features import FunctionDescriber, as_bytes, describer_for, name_of, thumbnails

CPU = torch.device("cpu")


def quiet(words: str) -> None:
    """Nobody listens."""


def means(images: Tensor) -> Tensor:
    return images.flatten(1)[:, :3]


def classified(images: Tensor) -> tuple[Tensor, Tensor]:
    features = images.flatten(1)[:, :3]
    return features, features * 50


@pytest.fixture(scope="module")
def digits() -> Tensor:
    return to_unit(load_dataset("mnist", device=CPU).test[:300])


@pytest.mark.parametrize("size", [28, 32])
def test_digits_of_any_size_are_described_by_the_shipped_classifier(digits: Tensor, size: int) -> None:
    images = torch.nn.functional.interpolate(digits, (size, size), mode="bilinear", antialias=True)
    describer = describer_for(None, images, quiet)
    assert describer.name == "mnist_cnn"
    assert len(torch.bincount(describer.describe(images).modes)) == 10


@pytest.mark.parametrize(
    "images", [to_unit(some_images()), to_unit(some_images(size=16, channels=3)), torch.zeros(64, 1, 8, 8)]
)
def test_other_images_are_described_by_their_own_components(images: Tensor) -> None:
    describer = describer_for(None, images, quiet)
    assert describer.name == "components"
    assert describer.single_mode


def test_large_images_are_described_by_the_components_of_smaller_ones() -> None:
    images = to_unit(some_images(80, 64, 3))
    describer = describer_for(None, images, quiet)
    assert describer.name == "components_20px"
    found = describer.describe(images)
    assert found.features.shape == (80, 64)
    torch.testing.assert_close(found.features.mean(0), torch.zeros(64), atol=1e-5, rtol=0)


def test_vectors_are_described_by_their_coordinates() -> None:
    points = torch.randn(20, 2, 1, 1)
    describer = describer_for(None, points, quiet)
    assert describer.name == "coordinates"
    assert torch.equal(describer.describe(points).features, points.flatten(1))


def test_a_functions_features_carry_its_name_and_its_logits_give_the_modes() -> None:
    images = to_unit(some_images(600))
    plain, both = (describer_for(function, images, quiet) for function in (means, classified))
    assert (plain.name, both.name) == ("means", "classified")
    found = plain.describe(images)
    assert torch.equal(found.features, images.flatten(1)[:, :3])
    assert set(found.modes.tolist()) == {0}
    assert torch.equal(both.describe(images).modes, found.features.argmax(1))
    assert not plain.sha256, "nothing is kept of what nobody can tell apart"
    broken = images.clone()
    broken[5] = torch.nan
    assert plain.describe(broken).confidence.isnan().nonzero().tolist() == [[5]]


def test_a_functions_name_can_stand_in_a_metrics() -> None:
    class Net:
        name = "CLIP ViT-B/32"

        def __call__(self, images: Tensor) -> Tensor:
            return images.flatten(1)

    assert name_of(Net()) == "CLIP_ViT_B_32"
    assert name_of(lambda images: images) == "lambda"


@pytest.mark.parametrize(
    "wrong", [lambda x: x, lambda x: x.flatten(1)[:1], lambda x: 3], ids=["4d", "one row", "3"]
)
def test_a_function_that_gives_anything_else_is_refused(wrong: Any) -> None:
    describer = FunctionDescriber(wrong, "wrong")
    with pytest.raises(StabilityError, match=r"features: wrong gives .* for 8 images, not \(8, features\)"):
        describer.describe(to_unit(some_images(8)))


def test_a_classifier_that_was_trained_here_is_read_from_its_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = folded(Classifier(3, 32, 4, norm=True))
    trained = TrainedClassifier(model, 0.9, "faces", "0" * 64, tuple("abcd"), 0, 1, "cpu", 1)
    path = save_classifier(trained, tmp_path / "faces_cnn.safetensors")
    said: list[str] = []
    images = to_unit(some_images(16, 32, 3))
    describer = describer_for(path, images, said.append)
    assert describer.name == "faces_cnn"
    assert said == ["features: faces_cnn, a classifier of 4 classes"]
    torch.testing.assert_close(describer.describe(images).features, model.describe(images)[0])
    with pytest.raises(StabilityError, match=r"was trained on 3 channels, these images have 1"):
        describer_for(str(path), to_unit(some_images()), quiet)
    with pytest.raises(
        StabilityError, match=r"no classifier at .*none.safetensors; `stability classifier train`"
    ):
        describer_for(tmp_path / "none.safetensors", images, quiet)


@pytest.mark.parametrize("path", ["", "missing.pth", "text.pth", "other.pth"])
def test_inception_needs_its_weights_and_says_which(tmp_path: Path, path: str) -> None:
    (tmp_path / "text.pth").write_text("no weights")
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    asked = f"inception:{tmp_path / path}" if path else "inception"
    with pytest.raises(StabilityError, match=r"pt_inception-2015-12-05-6726825d\.pth") as refused:
        describer_for(asked, to_unit(some_images(channels=3)), quiet)
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_inception_describes_by_the_weights_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights are random ones: what is shown is that they are read and used."""
    from torch_fidelity import feature_extractor_inceptionv3 as inception

    class Found(Exception):
        """Carries the network's own weights out of its making."""

    def grab(self: torch.nn.Module, *args: Any, **options: Any) -> None:
        raise Found(torch.nn.Module.state_dict(self))

    with monkeypatch.context() as patch:
        patch.setattr(inception, "load_state_dict_from_url", lambda *args, **options: {})
        patch.setattr(inception.FeatureExtractorInceptionV3, "load_state_dict", grab)
        with pytest.raises(Found) as found:
            inception.FeatureExtractorInceptionV3("x", ["2048"])
    torch.save(found.value.args[0], tmp_path / "weights.pth")
    images = to_unit(some_images(4))
    describer = describer_for(f"inception:{tmp_path / 'weights.pth'}", images, quiet)
    assert describer.name == "inception_2048"
    described = describer.describe(images)
    assert described.features.shape == (4, 2048)
    assert described.is_finite()


def test_images_become_bytes_of_three_channels() -> None:
    assert as_bytes(torch.tensor([-1.0, 0.0, 1.0, 9.0]).reshape(4, 1, 1, 1))[:, :, 0, 0].tolist() == [
        [0] * 3,
        [128] * 3,
        [255] * 3,
        [255] * 3,
    ]


def test_large_images_become_thumbnails_of_their_own_shape() -> None:
    assert thumbnails(torch.zeros(2, 3, 256, 128), 64).shape == (2, 3, 64, 32)
    small = torch.randn(2, 3, 28, 28)
    assert thumbnails(small, 64) is small

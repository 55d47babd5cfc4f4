from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch

from stability.errors import StabilityError
from stability.gan.data.datasets import Dataset, load_dataset, to_unit, training_subset
from stability.gan.metrics import evaluation
from stability.gan.metrics.classifier import measure_accuracy
from stability.gan.metrics.describers import ClassifierDescriber, load_describer
from stability.gan.metrics.evaluation import Evaluator, separation
from stability.records import Evaluation

CPU = torch.device("cpu")
METRICS = (
    *("fid_ratio", "effective_modes", "kl", "classifier_confidence", "separation", "memorisation"),
    *("precision", "recall", "density", "coverage", "diversity"),
)


def cut(dataset: Dataset, train: int, test: int) -> Dataset:
    return dataclasses.replace(
        dataset,
        train=dataset.train[:train],
        train_labels=dataset.train_labels[:train],
        test=dataset.test[:test],
        test_labels=dataset.test_labels[:test],
        sha256=f"{train} and {test} images",
    )


@pytest.fixture(scope="module")
def mnist() -> Dataset:
    return load_dataset("mnist", device=CPU)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def evaluator(mnist: Dataset, cache: Path) -> Evaluator:
    describer = load_describer(mnist, device=CPU)
    return Evaluator(cut(mnist, 4000, 2000), describer, samples=256, final_samples=512, cache_dir=cache)


@pytest.fixture(scope="module")
def unseen(mnist: Dataset) -> torch.Tensor:
    return to_unit(mnist.test[4000:4512])


def evaluate(evaluator: Evaluator, images: torch.Tensor) -> Evaluation:
    logits = torch.linspace(0, 1, len(images))
    return evaluator.evaluate(images, run="r", step=250, real_logits=logits, fake_logits=logits)


def test_real_images_score_as_real(evaluator: Evaluator, unseen: torch.Tensor) -> None:
    found = evaluate(evaluator, unseen[:256])
    assert found.fid_ratio == pytest.approx(1, abs=0.8)
    assert found.fid_ratio == found.sized["fid_mnist_cnn_256"] / found.fid_floor
    assert (found.modes, found.n_modes) == (10, 10)
    assert found.effective_modes > 9.5
    assert found.kl < 0.05
    assert found.classifier_confidence > 0.97
    assert min(found.precision, found.recall, found.coverage) > 0.8
    assert found.density == pytest.approx(1, abs=0.3)
    assert found.diversity == pytest.approx(1, abs=0.1)
    assert found.separation == 0.5
    assert found.memorisation == pytest.approx(1, abs=0.2)
    assert sum(found.class_shares) == pytest.approx(1)
    assert (found.run, found.step, found.n_samples, found.features) == ("r", 250, 256, "mnist_cnn")


def test_one_repeated_image_is_one_mode_without_diversity(evaluator: Evaluator, mnist: Dataset) -> None:
    one = to_unit(mnist.train[:1]).expand(256, -1, -1, -1)
    found = evaluate(evaluator, one)
    assert found.diversity == pytest.approx(0, abs=1e-4)
    assert found.modes == 1
    assert found.effective_modes == pytest.approx(1)
    assert found.recall == 0
    assert found.fid_ratio > 30
    assert found.memorisation < 0.01  # it is a training image


def test_one_class_is_one_mode_with_precision(evaluator: Evaluator, mnist: Dataset) -> None:
    found = evaluate(evaluator, to_unit(mnist.test[mnist.test_labels == 3][-256:]))
    assert found.modes == 1
    assert found.class_shares[3] > 0.97
    assert found.precision > 0.8
    assert found.coverage < 0.3
    assert found.kl == pytest.approx(math.log(10), abs=0.3)


def test_noise_has_no_precision(evaluator: Evaluator) -> None:
    noise = torch.rand(256, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = evaluate(evaluator, noise)
    assert found.precision == 0
    assert found.memorisation > 1.5
    assert found.fid_ratio > 50


def test_training_images_are_recognised_as_copies(evaluator: Evaluator, mnist: Dataset) -> None:
    assert evaluate(evaluator, to_unit(mnist.train[:256])).memorisation < 0.01


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_one_bad_pixel_makes_every_metric_nan(evaluator: Evaluator, unseen: torch.Tensor, bad: float) -> None:
    images = unseen[:256].clone()
    images[17, 0, 3, 3] = bad
    found = evaluate(evaluator, images)
    assert [name for name in METRICS if not math.isnan(getattr(found, name))] == []
    assert all(math.isnan(value) for value in (*found.sized.values(), *found.class_shares))
    assert found.modes == 0
    assert len(found.class_shares) == 10
    assert found.fid_floor > 0


def test_the_last_visit_has_fid_at_both_sizes(evaluator: Evaluator, unseen: torch.Tensor) -> None:
    found = evaluate(evaluator, unseen)
    assert list(found.sized) == ["fid_mnist_cnn_256", "fid_mnist_cnn_512"]
    assert found.sized["fid_mnist_cnn_256"] == evaluate(evaluator, unseen[:256]).sized["fid_mnist_cnn_256"]
    assert found.n_samples == 256
    assert found.fid_floor == evaluator.reference(256).floor.mean > evaluator.reference(512).floor.mean
    assert found.precision == evaluate(evaluator, unseen[:256]).precision
    assert found.fid_ratio == found.sized["fid_mnist_cnn_256"] / found.fid_floor


def test_the_same_samples_give_the_same_evaluation(evaluator: Evaluator, unseen: torch.Tensor) -> None:
    assert evaluate(evaluator, unseen[:256]) == evaluate(evaluator, unseen[:256].clone())


def test_held_out_images_are_real_and_fixed(evaluator: Evaluator, cache: Path) -> None:
    assert evaluator.held_out.shape == (1024, 1, 28, 28)
    again = Evaluator(evaluator.dataset, evaluator.describer, samples=64, final_samples=64, cache_dir=cache)
    assert torch.equal(again.held_out, evaluator.held_out)


def forbid(*args: object) -> None:
    raise AssertionError("computed again")


@pytest.fixture
def cached(evaluator: Evaluator, tmp_path: Path) -> tuple[Evaluator, Path]:
    small = cut(evaluator.dataset, 200, 60)
    folder = tmp_path / "cache"
    first = Evaluator(small, evaluator.describer, samples=50, final_samples=50, cache_dir=folder)
    return first, folder


def again(first: Evaluator, folder: Path) -> Evaluator:
    return Evaluator(first.dataset, first.describer, samples=50, final_samples=50, cache_dir=folder)


def test_features_and_floors_are_computed_once(
    cached: tuple[Evaluator, Path], unseen: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, folder = cached
    expected = evaluate(first, unseen[:50])
    monkeypatch.setattr(evaluation, "_features_of", forbid)
    monkeypatch.setattr(evaluation, "fid_floor", forbid)
    assert evaluate(again(first, folder), unseen[:50]) == expected


def test_a_note_tells_of_features_that_are_not_kept_yet(
    cached: tuple[Evaluator, Path], tmp_path: Path
) -> None:
    first, folder = cached
    notes: list[str] = []

    def evaluator(samples: int, folder: Path) -> None:
        Evaluator(
            first.dataset,
            first.describer,
            samples=samples,
            final_samples=50,
            cache_dir=folder,
            note=notes.append,
        )

    evaluator(50, folder)
    evaluator(40, folder)  # another floor, the same features
    assert notes == []
    evaluator(50, tmp_path / "elsewhere")
    assert notes == ["computing features of 260 real images (the first time only)"]


def test_final_samples_cost_no_distances(
    cached: tuple[Evaluator, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, folder = cached
    large = Evaluator(first.dataset, first.describer, samples=20, final_samples=150, cache_dir=folder)
    monkeypatch.setattr(evaluation, "manifold", forbid)
    monkeypatch.setattr(evaluation, "nearest", forbid)
    floors = large.floors()
    assert list(floors) == ["fid_mnist_cnn_20", "fid_mnist_cnn_150"]
    assert floors["fid_mnist_cnn_20"]["mean"] > floors["fid_mnist_cnn_150"]["mean"] > 0
    assert {floor["draws"] for floor in floors.values()} == {20}


class NoFloat64(torch.Tensor):
    """Stands for a tensor on a device without float64; what is made of it stays there until `cpu`."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        found = super().__torch_function__(func, types, args, kwargs or {})
        if func is torch.Tensor.cpu:
            return found.as_subclass(torch.Tensor)
        assert not (isinstance(found, NoFloat64) and found.dtype == torch.float64), func
        return found


def test_only_the_cpu_sees_float64(evaluator: Evaluator, unseen: torch.Tensor, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        unseen.as_subclass(NoFloat64).double()
    small = cut(evaluator.dataset, 200, 60)
    away = dataclasses.replace(
        small,
        **{
            name: getattr(small, name).as_subclass(NoFloat64)
            for name in ("train", "train_labels", "test", "test_labels")
        },
    )
    describer = evaluator.describer
    assert isinstance(describer, ClassifierDescriber)
    logits = torch.linspace(0, 1, 60)
    found = []
    for dataset, images, m in (
        (small, unseen, logits),
        (away, unseen.as_subclass(NoFloat64), logits.as_subclass(NoFloat64)),
    ):
        one = Evaluator(
            dataset, describer, samples=50, final_samples=80, cache_dir=tmp_path / str(len(found))
        )
        evaluation = one.evaluate(images[:80], run="r", step=1, real_logits=m, fake_logits=m[:50])
        found.append((evaluation, one.floors(), measure_accuracy(describer.classifier, dataset)))
    assert found[0] == found[1]


def test_a_damaged_cache_is_computed_again(cached: tuple[Evaluator, Path], unseen: torch.Tensor) -> None:
    first, folder = cached
    expected = evaluate(first, unseen[:50])
    files = sorted(folder.iterdir())
    assert len(files) == 3
    for damage in (
        lambda data: data[:1000],
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: b"",
    ):
        for file in files:
            file.write_bytes(damage(file.read_bytes()))
        assert evaluate(again(first, folder), unseen[:50]) == expected
    assert sorted(folder.iterdir()) == files


def test_an_unwritable_cache_is_no_error(cached: tuple[Evaluator, Path], tmp_path: Path) -> None:
    first, _ = cached
    (tmp_path / "file").write_text("in the way")
    notes: list[str] = []
    found = Evaluator(
        first.dataset,
        first.describer,
        samples=50,
        final_samples=50,
        cache_dir=tmp_path / "file",
        note=notes.append,
    )
    assert found.reference(50).floor == first.reference(50).floor
    assert [note.partition(" (")[0].partition(": ")[2] for note in notes] == [
        "",
        "cannot be kept for the next time",
    ]


def test_too_few_images_are_told(evaluator: Evaluator, cache: Path) -> None:
    describer = evaluator.describer
    with pytest.raises(StabilityError, match="mnist: 40 training images are fewer than the 50 samples"):
        Evaluator(cut(evaluator.dataset, 40, 99), describer, samples=20, final_samples=50, cache_dir=cache)
    with pytest.raises(StabilityError, match="mnist: 5 held-out images are too few"):
        Evaluator(cut(evaluator.dataset, 99, 5), describer, samples=20, final_samples=50, cache_dir=cache)


def test_separation_counts_pairs() -> None:
    real, fake = torch.tensor([1.0, 2.0, 2.0]), torch.tensor([0.0, 2.0])
    assert separation(real, fake) == pytest.approx((1 + 0 + 1.5 + 1.5) / 6)
    assert separation(fake, real) == pytest.approx(1 - 4 / 6)
    assert separation(torch.tensor([1.0]), torch.tensor([0.0])) == 1
    assert separation(real, torch.tensor([-math.inf, 0.0])) == 1
    assert math.isnan(separation(real, torch.tensor([0.0, math.nan])))
    assert math.isnan(separation(torch.tensor([math.nan]), fake))


def test_separation_equals_all_pairs() -> None:
    generator = torch.Generator().manual_seed(0)
    real, fake = (torch.randint(0, 9, (n,), generator=generator).float() for n in (37, 53))
    pairs = (real[:, None] > fake).double() + (real[:, None] == fake).double() / 2
    assert separation(real, fake) == pytest.approx(pairs.mean().item(), rel=1e-12)


def test_asked_for_labels_are_compared_with_what_came(evaluator: Evaluator, mnist: Dataset) -> None:
    images, labels = to_unit(mnist.test[4000:4256]), mnist.test_labels[4000:4256]
    logits = torch.zeros(1)
    right, wrong, none = (
        evaluator.evaluate(images, run="r", step=1, real_logits=logits, fake_logits=logits, labels=asked)
        for asked in (labels, (labels + 1) % 10, None)
    )
    assert right.class_agreement > 0.97
    assert wrong.class_agreement < 0.02
    assert right.diversity_within == pytest.approx(1, abs=0.1)
    assert wrong.diversity_within == pytest.approx(1, abs=0.3)  # one digit each, though the wrong one
    assert (none.class_agreement, none.diversity_within) == (None, None)
    same = {"class_agreement": None, "diversity_within": None}
    assert dataclasses.replace(right, **same) == none


def test_diversity_within_sees_one_image_per_class(evaluator: Evaluator, mnist: Dataset) -> None:
    """All ten classes are there, so that the diversity of all samples hardly tells."""
    first = [int((mnist.test_labels == digit).nonzero()[0, 0]) for digit in range(10)]
    images, labels = to_unit(mnist.test[first]).repeat(20, 1, 1, 1), torch.arange(10).repeat(20)
    logits = torch.zeros(1)
    found = evaluator.evaluate(images, run="r", step=1, real_logits=logits, fake_logits=logits, labels=labels)
    assert found.diversity_within == pytest.approx(0, abs=1e-4)
    assert found.diversity > 0.7
    assert found.modes >= 9  # one of the ten is a rare one, far from the others
    mixed = evaluator.evaluate(
        images, run="r", step=1, real_logits=logits, fake_logits=logits, labels=labels.roll(1) * 0
    )
    assert mixed.diversity_within > 1.1  # any digit came when 0 was asked for


def test_a_class_asked_for_once_has_no_diversity_within(evaluator: Evaluator, mnist: Dataset) -> None:
    logits, labels = torch.zeros(1), torch.arange(10)
    found = evaluator.evaluate(
        to_unit(mnist.test[:10]), run="r", step=1, real_logits=logits, fake_logits=logits, labels=labels
    )
    assert math.isnan(found.diversity_within)
    assert found.class_agreement < 0.5


def test_copies_are_of_the_images_that_were_trained_on(evaluator: Evaluator) -> None:
    train = evaluator.dataset.train
    rows = training_subset(len(train), 500)
    others = torch.tensor(sorted(set(range(len(train))) - set(rows.tolist())))
    logits = torch.zeros(1)

    def memorisation(chosen: torch.Tensor, train_size: int | None) -> float:
        return evaluator.evaluate(
            to_unit(train[chosen[:256]]),
            run="r",
            step=1,
            real_logits=logits,
            fake_logits=logits,
            train_size=train_size,
        ).memorisation

    assert memorisation(rows, 500) < 0.01
    assert memorisation(others, 500) == pytest.approx(1, abs=0.2)
    assert memorisation(others, None) < 0.01
    with pytest.raises(StabilityError, match="train_size: 4001 is more than the 4000 training images"):
        memorisation(rows, 4001)


def test_real_training_images_are_scored_as_if_generated(evaluator: Evaluator) -> None:
    found = evaluator.real_scores(512)
    assert found == evaluator.real_scores(512)
    assert set(found.sized) == {"fid_mnist_cnn_256", "fid_mnist_cnn_512"}
    assert (found.run, found.n_samples, found.modes, found.separation) == ("real", 256, 10, 0.5)
    assert found.fid_ratio == pytest.approx(1, abs=0.3)
    assert found.memorisation < 0.01
    assert found.class_agreement > 0.98
    assert found.diversity_within == pytest.approx(1, abs=0.1)
    assert evaluator.real_scores().sized.keys() == {"fid_mnist_cnn_256"}
    with pytest.raises(StabilityError, match="fewer than the 5000 samples"):
        evaluator.real_scores(5000)


def test_metrics_of_ones_own_stand_beside_ours(
    evaluator: Evaluator, unseen: torch.Tensor, cache: Path
) -> None:
    """On as many images as all others, beside as many real ones; of what is not finite nothing is known."""
    seen: list[torch.Tensor] = []

    def brightness(images: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        seen.extend([images, real])
        return images.mean()

    own = Evaluator(
        evaluator.dataset,
        evaluator.describer,
        samples=256,
        final_samples=512,
        own={"brightness": brightness},
        cache_dir=cache,
    )
    plain, found = evaluate(evaluator, unseen), evaluate(own, unseen)
    assert found.sized == plain.sized | {"own_brightness": pytest.approx(unseen[:256].mean().item())}
    assert torch.equal(seen[0], unseen[:256])
    assert (seen[1].shape, seen[1].min(), seen[1].max()) == (seen[0].shape, -1, 1)
    assert math.isnan(evaluate(own, unseen * torch.nan).sized["own_brightness"])
    assert len(seen) == 2

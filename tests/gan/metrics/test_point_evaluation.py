from __future__ import annotations

import dataclasses
import math
from functools import cache

import pytest
import torch

from stability.gan.data.datasets import Dataset, load_dataset
from stability.gan.metrics.describers import load_describer
from stability.gan.metrics.evaluation import Evaluator
from stability.records import Evaluation

CPU = torch.device("cpu")
NAMES = ("ring", "grid", "dirac")


@pytest.fixture(scope="module")
def evaluator_of(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("cache")

    @cache
    def make(name: str) -> Evaluator:
        dataset = few(load_dataset(name, device=CPU))
        return Evaluator(
            dataset, load_describer(dataset, device=CPU), samples=256, final_samples=512, cache_dir=folder
        )

    return make


def few(dataset: Dataset) -> Dataset:
    return dataclasses.replace(
        dataset,
        train=dataset.train[:5000],
        train_labels=dataset.train_labels[:5000],
        test=dataset.test[:2000],
        test_labels=dataset.test_labels[:2000],
        sha256=f"few of {dataset.name}",
    )


def evaluate(evaluator: Evaluator, points: torch.Tensor) -> Evaluation:
    logits = torch.zeros(4)
    return evaluator.evaluate(points, run="r", step=1, real_logits=logits, fake_logits=logits)


@pytest.mark.parametrize("name", NAMES)
def test_unseen_real_points_score_as_real(name: str, evaluator_of) -> None:
    found = evaluate(evaluator_of(name), load_dataset(name, device=CPU).test[-256:])
    assert found.modes == found.n_modes
    assert found.confident_share == found.classifier_confidence > 0.96
    assert min(found.precision, found.recall, found.coverage) > 0.9
    assert found.diversity == pytest.approx(1, abs=0.1)
    assert found.memorisation == pytest.approx(1, abs=0.25)
    assert found.fid_ratio < 4
    assert found.features == "points"
    assert (found.class_agreement, found.diversity_within) == (None, None)


def test_sized_metrics_are_taken_on_every_sample_of_the_visit(evaluator_of) -> None:
    ring = load_dataset("ring", device=CPU)
    points = ring.test[:512].clone()
    points[:256] = points[0]
    found = evaluate(evaluator_of("ring"), points)
    assert set(found.sized) == {"fid_points_256", "fid_points_512", "modes_pacgan_512", "kl_pacgan_512"}
    assert found.modes == 1  # of the first 256
    assert found.sized["modes_pacgan_512"] == 8
    assert found.sized["fid_points_512"] < found.sized["fid_points_256"]


def test_the_frechet_distance_of_points_by_hand(evaluator_of) -> None:
    """Even centres on the unit circle: mean 0, covariance I / 2, plus the spread's; the fakes have none."""
    found = evaluate(evaluator_of("ring"), torch.zeros(256, 2, 1, 1))
    assert found.sized["fid_points_256"] == pytest.approx(1, abs=0.01)
    assert found.fid_ratio == found.sized["fid_points_256"] / found.fid_floor


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("at", [0.0, 0.05, 0.7, 50.0])
def test_samples_that_are_all_equal_have_finite_metrics(name: str, at: float, evaluator_of) -> None:
    evaluator = evaluator_of(name)
    found = evaluate(evaluator, torch.full((256, evaluator.dataset.channels, 1, 1), at))
    values = [value for value in dataclasses.asdict(found).values() if isinstance(value, float)]
    assert all(math.isfinite(value) for value in values)
    assert found.effective_modes == pytest.approx(1)
    assert found.diversity == (1 if name == "dirac" else 0)


def test_a_dirac_generator_is_judged_by_its_distance_in_tolerances(evaluator_of) -> None:
    evaluator = evaluator_of("dirac")
    assert evaluator.dataset.problem.tolerance == 0.1
    inside, outside = (evaluate(evaluator, torch.full((256, 1, 1, 1), at)) for at in (0.09, -0.3))
    assert (inside.precision, inside.recall, inside.coverage, inside.modes) == (1, 1, 1, 1)
    assert (outside.precision, outside.recall, outside.coverage, outside.modes) == (0, 0, 0, 0)
    assert inside.fid_ratio == pytest.approx(1 + 0.9**2, rel=1e-5)
    assert outside.fid_ratio == pytest.approx(1 + 3**2, rel=1e-5)
    assert outside.memorisation == pytest.approx(1 + 3, rel=1e-5)
    assert (inside.confident_share, outside.confident_share) == (1, 0)
    assert list(inside.sized) == ["fid_points_256"]
    apart = torch.tensor([-0.05, 0.05]).repeat(128)[:, None, None, None]
    expected = 1 + (0.1 * 128 * 128 / (256 * 255 / 2)) / 0.1
    assert evaluate(evaluator, apart).diversity == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_point_that_is_not_finite_makes_every_metric_nan(name: str, evaluator_of) -> None:
    points = load_dataset(name, device=CPU).test[:256].clone()
    points[7] = math.nan
    found = evaluate(evaluator_of(name), points)
    for metric in (
        "fid_ratio",
        "precision",
        "diversity",
        "memorisation",
        "confident_share",
        "classifier_confidence",
    ):
        assert math.isnan(getattr(found, metric))
    assert all(math.isnan(value) for value in found.sized.values())
    assert found.modes == 0


def test_points_are_computed_without_a_note(tmp_path) -> None:
    notes: list[str] = []
    dataset = few(load_dataset("ring", device=CPU))
    Evaluator(
        dataset,
        load_describer(dataset, device=CPU),
        samples=64,
        final_samples=64,
        cache_dir=tmp_path,
        note=notes.append,
    )
    assert notes == []


def test_stacked_digits_have_modes_by_the_thousand(tmp_path) -> None:
    stacked = load_dataset("digits-stacked", device=CPU)
    dataset = dataclasses.replace(
        stacked,
        train=stacked.train[:1100],
        train_labels=stacked.train_labels[:1100],
        test=stacked.test[:400],
        test_labels=stacked.test_labels[:400],
        sha256="a few triples",
    )
    evaluator = Evaluator(
        dataset, load_describer(dataset, device=CPU), samples=1024, final_samples=1024, cache_dir=tmp_path
    )
    found = evaluator.real_scores()
    assert set(found.sized) == {"fid_mnist_cnn_x3_1024", "modes_pacgan_1024", "kl_pacgan_1024"}
    assert 600 < found.modes <= found.sized["modes_pacgan_1024"] < 680  # chance alone: 641 of 1,000
    assert found.n_modes == len(found.class_shares) == 1000
    assert found.sized["kl_pacgan_1024"] == pytest.approx(
        math.log(1000) - math.log(found.effective_modes), rel=1e-9
    )
    assert found.class_agreement > 0.97

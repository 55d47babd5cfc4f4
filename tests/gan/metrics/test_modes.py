from __future__ import annotations

import math

import pytest
import torch

from stability.gan.data.points import PROBLEMS
from stability.gan.metrics.describers import Description, PointDescriber
from stability.gan.metrics.modes import PACGAN_CONFIDENCE, ClassUse, class_agreement, class_use, pacgan_scores
from stability.spec.study import DATASETS


def found(modes: list[int], confidence: float | list[float]) -> Description:
    sure = torch.tensor(confidence, dtype=torch.float64).expand(len(modes))
    return Description(torch.zeros(len(modes), 1), torch.tensor(modes), sure)


def even(n: int) -> torch.Tensor:
    return torch.full((n,), 1 / n, dtype=torch.float64)


def use_of(found: Description, real_shares: torch.Tensor) -> ClassUse:
    """Of samples that are all near real ones."""
    return class_use(found, torch.ones(len(found.modes), dtype=torch.bool), real_shares)


def test_class_use_by_hand() -> None:
    use = use_of(found([0, 0, 1, 1], [0.95, 0.95, 0.95, 0.5]), even(4))
    assert use.shares == (0.5, 0.5, 0, 0)
    assert use.modes == 2
    assert use.effective_modes == pytest.approx(2)
    assert use.kl == pytest.approx(math.log(2))
    assert use.classifier_confidence == pytest.approx((3 * 0.95 + 0.5) / 4)
    assert use.confident_share == 0.75


def test_a_mode_needs_confidence_and_a_fiftieth_of_the_recognisable_samples() -> None:
    assert use_of(found([1] * 100, 0.89), even(10)).modes == 0
    assert use_of(found([1] * 98 + [2] * 2, 0.91), even(10)).modes == 2
    assert use_of(found([1] * 99 + [2], 0.91), even(10)).modes == 1
    assert use_of(found([1] * 499 + [2], 0.91), even(100)).modes == 2
    unsure = found([1] * 9 + [2] + [3] * 90, [0.95] * 10 + [0.5] * 90)
    assert use_of(unsure, even(10)).modes == 2


def test_a_few_lucky_samples_among_noise_make_no_mode() -> None:
    assert use_of(found([1] * 2 + [2] * 3 + [3] * 95, [0.95] * 5 + [0.5] * 95), even(10)).modes == 2
    assert use_of(found([1] * 2 + [2] * 2 + [3] * 96, [0.95] * 4 + [0.5] * 96), even(10)).modes == 0


def test_samples_far_from_real_ones_make_no_mode_however_sure_the_classifier_is() -> None:
    near = torch.tensor([True] * 97 + [False] * 2 + [True])
    use = class_use(found([1] * 97 + [2] * 3, 1.0), near, even(10))
    assert use.modes == 1
    assert use.confident_share == 1


def test_of_a_thousand_modes_each_confident_sample_of_1024_covers_one() -> None:
    modes = [*range(641), *[0] * 383]
    assert use_of(found(modes, 0.91), even(1000)).modes == 641
    sure = [0.91] * 640 + [0.89] + [0.91] * 383
    assert use_of(found(modes, sure), even(1000)).modes == 640


def test_nothing_is_covered_where_one_sample_cannot_be_described() -> None:
    use = use_of(found([0, 1, 2], [1.0, math.nan, 1.0]), even(3))
    assert use.modes == 0
    rest = (*use.shares, use.effective_modes, use.kl, use.classifier_confidence, use.confident_share)
    assert all(math.isnan(value) for value in rest)


def test_pacgans_metrics_on_three_of_eight_centres() -> None:
    ring = PROBLEMS["ring"]
    points = ring.centres[[0, 3, 5]].repeat(4, 1).float()[:, :, None, None]
    described = PointDescriber(ring).describe(points)
    assert pacgan_scores("ring", described, 8) == {
        "modes_pacgan_12": 3,
        "kl_pacgan_12": pytest.approx(math.log(8 / 3)),
    }
    assert use_of(described, even(8)).confident_share == 1


def test_bad_points_count_for_no_mode() -> None:
    described = found([0, 0, 1, 1, 2, 3], [1.0, 1.0, 0.0, 0.0, 1.0, 0.0])
    shares = (2 / 3, 1 / 3)
    assert pacgan_scores("grid", described, 25) == {
        "modes_pacgan_6": 2,
        "kl_pacgan_6": pytest.approx(sum(p * math.log(25 * p) for p in shares)),
    }
    nothing = pacgan_scores("grid", found([0, 1], 0.0), 25)
    assert nothing["modes_pacgan_2"] == 0
    assert math.isnan(nothing["kl_pacgan_2"])


def test_stacked_digits_count_at_any_confidence() -> None:
    scores = pacgan_scores("digits-stacked", found([1, 1, 2, 999], 0.2), 1000)
    assert scores["modes_pacgan_4"] == 3
    assert scores["kl_pacgan_4"] == pytest.approx(math.log(1000) - 1.5 * math.log(2))


def test_a_perfect_generator_of_26000_stacked_digits() -> None:
    """Covers every mode; by chance alone its KL is (1000 - 1) / (2 x 26000)."""
    modes = torch.randint(1000, (26_000,), generator=torch.Generator().manual_seed(0)).tolist()
    scores = pacgan_scores("digits-stacked", found(modes, 1.0), 1000)
    assert scores["modes_pacgan_26000"] == 1000
    assert scores["kl_pacgan_26000"] == pytest.approx(999 / 52_000, rel=0.1)


def test_pacgans_metrics_are_nan_where_a_sample_cannot_be_described() -> None:
    scores = pacgan_scores("ring", found([0, 1], [1.0, math.nan]), 8)
    assert list(scores) == ["modes_pacgan_2", "kl_pacgan_2"]
    assert all(math.isnan(value) for value in scores.values())


def test_other_data_sets_have_none() -> None:
    assert pacgan_scores("mnist", found([0, 1], 1.0), 10) == {}
    assert set(PACGAN_CONFIDENCE) < set(DATASETS)


def test_class_agreement() -> None:
    described = found([3, 3, 1, 0], 0.5)
    assert class_agreement(described, torch.tensor([3, 1, 1, 1])) == 0.5
    assert math.isnan(class_agreement(described.unknown(), torch.tensor([3, 1, 1, 1])))

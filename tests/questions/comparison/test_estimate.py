from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, permutation_test, ttest_1samp, ttest_ind
from statsmodels.stats.multitest import multipletests

from stability.questions.comparison.estimate import (
    LOWER_FID,
    PAIR_COLUMNS,
    Comparison,
    Family,
    compare_levels,
    comparisons,
)
from stability.reading.frames import StudyFrames
from stability.reading.study import Study
from stability.spec import Choice, Design, Range, StudySpec
from stability.statistics.paired_tests import NO_COMMON_POINT, NO_POINT, paired_t
from stability.statistics.rates import ONE_POINT, SUCCESS


def crossed_runs(shares: dict[str, list[float]], seeds: int = 2, **columns: Any) -> pd.DataFrame:
    """Every point with every level; `shares` of the seeds succeed, NaN leaves the level out."""
    well = ("stable", "nearly-stable")
    rows = [
        {"point": point, "loss": loss, "outcome": well[point % 2] if seed < share * seeds else "collapsed"}
        for loss, of_points in shares.items()
        for point, share in enumerate(of_points)
        for seed in range(seeds)
        if not np.isnan(share)
    ]
    frame = pd.DataFrame(rows, columns=["point", "loss", "outcome"])
    return frame.assign(**{"adaptive": False, "lr": frame["point"] / 1000, **columns})


def compare(runs: pd.DataFrame, *, crossed: bool = True, **options: Any) -> Comparison:
    return compare_levels(runs, "loss", SUCCESS, crossed=crossed, rng=np.random.default_rng(0), **options)


A, B = [0, 0.5, 1, 0.5, 1, 1, 0, 1] * 3, [0, 0, 0.5, 0.5, 0, 1, 0.5, 0] * 3


def test_a_pair_is_the_paired_t_test_on_the_points_shares() -> None:
    found = compare(crossed_runs({"hinge": A, "minimax": B}))
    row = found.pairs.iloc[0]
    expected = ttest_1samp(np.array(A) - B, 0)
    interval = expected.confidence_interval(0.95)
    assert list(found.pairs.columns) == list(PAIR_COLUMNS)
    assert (row["first"], row["second"], found.levels) == ("hinge", "minimax", ("hinge", "minimax"))
    np.testing.assert_allclose(
        [row.estimate, row.ci_low, row.ci_high, row.p, row.p_holm],
        [np.mean(A) - np.mean(B), interval.low, interval.high, expected.pvalue, expected.pvalue],
    )
    assert (row.n_points, row.n_runs, row.n_disagree, row.n_first, row.n_second) == (24, 96, 15, 12, 3)


def test_the_sign_flip_test_tries_every_flip_of_few_differences() -> None:
    row = compare(crossed_runs({"hinge": [1.0] * 6, "minimax": [0, 0.5] * 3})).pairs.iloc[0]
    assert row.p_permutation == pytest.approx(2 / 2**6)
    exact = permutation_test(
        ([1, 0.5] * 3,), np.mean, permutation_type="samples", n_resamples=10_000, vectorized=False
    )
    assert row.p_permutation == pytest.approx(exact.pvalue)


def test_against_a_baseline_the_family_is_each_level_with_it() -> None:
    c = [0.5, 1, 1, 0, 0.5, 1, 1, 0.5] * 3
    runs = crossed_runs({"hinge": A, "base": B, "minimax": c, "same": B})
    found, of_all = compare(runs, family=Family("base")), compare(runs)
    assert list(zip(found.pairs["first"], found.pairs["second"], strict=True)) == [
        ("hinge", "base"),
        ("minimax", "base"),
        ("same", "base"),
    ]
    one = ttest_1samp(np.array(A) - B, 0).confidence_interval(1 - 0.05 / 3)
    np.testing.assert_allclose(found.pairs[["ci_low", "ci_high"]].iloc[0], [one.low, one.high])
    np.testing.assert_allclose(found.pairs.p_holm, multipletests(found.pairs.p, method="holm")[1])
    assert (found.pairs.p_holm[:2] < 1).all()
    assert len(of_all.pairs) == 6
    narrow, wide = (pairs.iloc[0] for pairs in (found.pairs, of_all.pairs))
    assert narrow.ci_low > wide.ci_low
    assert set(found.disagreements["second"]) == {"base"}


def test_against_a_baseline_no_pair_is_turned() -> None:
    found = compare(crossed_runs({"base": A, "worse": B, "better": [1.0] * 24}), family=Family("base"))
    assert found.ranked["first"].tolist() == ["better", "worse"]
    assert found.ranked["estimate"].tolist() == [1 - np.mean(A), np.mean(B) - np.mean(A)]


def test_without_a_run_of_the_baseline_there_is_nothing_to_compare() -> None:
    found = compare(crossed_runs({"hinge": A, "minimax": B}), family=Family("base"))
    assert found.pairs.empty
    assert found.disagreements.empty


def test_several_levels_have_bonferroni_intervals_and_holm_p_values() -> None:
    found = compare(
        crossed_runs({"a": A, "b": B, "c": [0.5, 1, 1, 0, 0.5, 1, 1, 0.5] * 3}), family=Family(confidence=0.9)
    )
    differences = np.array(A) - B
    narrow = ttest_1samp(differences, 0).confidence_interval(1 - 0.1 / 3)
    np.testing.assert_allclose(found.pairs[["ci_low", "ci_high"]].iloc[0], [narrow.low, narrow.high])
    np.testing.assert_allclose(found.pairs.p_holm, multipletests(found.pairs.p, method="holm")[1])
    assert list(zip(found.pairs["first"], found.pairs["second"], strict=True)) == [
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
    ]


def test_a_pair_is_paired_by_point_not_by_run() -> None:
    """Twice the seeds with the same shares are no new evidence."""
    few, many = (compare(crossed_runs({"a": A, "b": B}, seeds=seeds)).pairs.iloc[0] for seeds in (2, 20))
    assert few[["estimate", "ci_low", "ci_high", "p"]].tolist() == pytest.approx(
        many[["estimate", "ci_low", "ci_high", "p"]].tolist()
    )
    assert many.n_runs == 10 * few.n_runs


def test_adaptive_runs_never_count() -> None:
    runs = crossed_runs({"a": A, "b": B})
    searched = crossed_runs({"a": [0.0] * 24, "b": [1.0] * 24}, adaptive=True).assign(point=99)
    both = compare(pd.concat([runs, searched], ignore_index=True))
    pd.testing.assert_frame_equal(both.pairs, compare(runs).pairs)
    assert compare(searched).pairs.empty
    assert compare(searched).overall.reason


def test_unfinished_points_count_where_both_levels_are_there() -> None:
    hole = [np.nan, np.nan, *B[2:]]
    found = compare(crossed_runs({"a": A, "b": B, "c": hole}))
    assert found.pairs.n_points.tolist() == [24, 22, 22]
    assert (found.overall.n_points, found.overall.n_runs, found.n_points) == (22, 132, 24)
    alone = compare(crossed_runs({"a": A[2:], "c": B[2:]})).pairs.iloc[0]
    assert found.pairs.iloc[1].estimate == pytest.approx(alone.estimate)


def test_another_crossed_factor_is_compared_within() -> None:
    """A level that finished only on the easy architecture is not compared with one that finished on both."""
    both = crossed_runs({"a": [1.0, 1.0, 1.0]}, architecture="mlp")
    hard = crossed_runs({"a": [0.0, 0.0, 0.0]}, architecture="dcgan")
    easy = crossed_runs({"b": [1.0, 1.0, 0.5]}, architecture="mlp")
    runs = pd.concat([both, hard, easy], ignore_index=True)
    row = compare(runs, varied=("loss", "architecture", "lr")).pairs.iloc[0]
    assert row.estimate == pytest.approx(0.5 / 3)
    assert row.n_runs == 12


def test_a_level_without_a_value_of_its_own_is_compared_at_the_same_points() -> None:
    runs = crossed_runs({"hinge": A, "base": B})
    bare = runs.assign(lr=runs["lr"].mask(runs["loss"] == "hinge"))
    found, whole = (compare(one, varied=("loss", "lr")) for one in (bare, runs))
    pd.testing.assert_frame_equal(found.pairs, whole.pairs)
    pd.testing.assert_frame_equal(found.disagreements, whole.disagreements)


def test_levels_that_always_agree_are_not_told_apart() -> None:
    row = compare(crossed_runs({"a": A, "b": A})).pairs.iloc[0]
    assert (row.estimate, row.p, row.p_holm, row.p_permutation, row.reason) == (0, 1, 1, 1, "")
    assert -0.2 < row.ci_low < 0 < row.ci_high < 0.2


def test_a_constant_difference_has_the_p_value_of_the_sign_flip() -> None:
    found = compare(crossed_runs({"a": [1.0] * 64, "b": [0.0] * 64, "c": [1.0] * 63 + [0.0]}))
    row = found.pairs.iloc[0]
    assert (row.estimate, row.ci_high, row.reason) == (1, 1, "")
    assert 0.85 < row.ci_low < 1
    assert row.p == row.p_permutation < 0.001
    np.testing.assert_allclose(found.pairs.p_holm, multipletests(found.pairs.p, method="holm")[1])


def test_intervals_know_how_many_runs_stand_behind_a_share() -> None:
    """Of unequal cells the smallest counts."""
    rare = [1.0, 0.5, 0.5, *[0.0] * 29]
    two = crossed_runs({"a": rare, "b": [0.0] * 32})
    four = pd.concat([two.assign(architecture=name) for name in ("mlp", "dcgan")], ignore_index=True)
    for runs, behind in ((two, 2), (four, 4), (four.drop(index=0), 2)):
        row = compare(runs, varied=[name for name in ("architecture",) if name in runs]).pairs.iloc[0]
        expected = paired_t(np.array(rare), runs=behind)
        assert (row.ci_low, row.ci_high) == pytest.approx((expected.ci_low, expected.ci_high))


@pytest.mark.parametrize(
    ("shares", "estimate", "reason"),
    [
        ({"a": [1.0], "b": [0.5]}, 0.5, ONE_POINT),
        ({"a": [1.0, np.nan], "b": [np.nan, 0.5]}, np.nan, NO_COMMON_POINT),
    ],
)
def test_too_few_points_say_so(shares: dict[str, list[float]], estimate: float, reason: str) -> None:
    found = compare(crossed_runs(shares))
    row = found.pairs.iloc[0]
    np.testing.assert_equal([row.estimate, row.ci_low, row.p], [estimate, np.nan, np.nan])
    assert row.reason == reason
    assert np.isnan(found.overall.p)
    assert "not estimable" in found.overall.reason


@pytest.mark.parametrize("shares", [{}, {"a": A}])
@pytest.mark.parametrize("crossed", [True, False])
def test_less_than_two_levels_have_no_pairs(shares: dict[str, list[float]], crossed: bool) -> None:
    found = compare(crossed_runs(shares), crossed=crossed)
    assert found.pairs.empty
    assert list(found.pairs.columns) == list(PAIR_COLUMNS)
    assert found.disagreements.empty
    assert np.isnan(found.overall.p)


def test_levels_at_different_points_are_compared_by_welch() -> None:
    first, second = A, [*B, 1.0, 0.5]
    elsewhere = crossed_runs({"b": second})
    runs = [crossed_runs({"a": first}), elsewhere.assign(point=elsewhere["point"] + 100)]
    found = compare(pd.concat(runs, ignore_index=True), crossed=False)
    row, expected = found.pairs.iloc[0], ttest_ind(first, second, equal_var=False)
    interval = expected.confidence_interval(0.95)
    np.testing.assert_allclose(
        [row.ci_low, row.ci_high, row.p], [interval.low, interval.high, expected.pvalue]
    )
    assert (row.n_points, row.n_runs) == (50, 100)
    shuffled = permutation_test(
        (first, second),
        lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis),
        n_resamples=50_000,
        vectorized=True,
    )
    assert row.p_permutation == pytest.approx(shuffled.pvalue, abs=0.02)
    assert "different points" in found.overall.reason


def apart_runs(counts: dict[tuple[str, str], tuple[int, int]]) -> pd.DataFrame:
    """Runs of batchnorm at points of their own, good by architecture alone: first point and end of each."""
    rows = [
        {"point": point, "batchnorm": batchnorm, "architecture": architecture, "adaptive": False}
        | {"outcome": "stable" if (point + seed) % (10 if architecture == "mlp" else 2) == 0 else "collapsed"}
        for (batchnorm, architecture), ends in counts.items()
        for point in range(*ends)
        for seed in range(2)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    "unfinished",
    [
        {("generator", "mlp"): (100, 140)},
        {("generator", "mlp"): (100, 140), ("generator", "dcgan"): (100, 120)},
    ],
    ids=["one architecture", "half of the other"],
)
def test_levels_at_different_points_are_compared_at_the_same_architectures(
    unfinished: dict[tuple[str, str], tuple[int, int]],
) -> None:
    """Batchnorm does nothing; one of its levels is not done with the better architecture."""
    counts = {("none", "mlp"): (0, 40), ("none", "dcgan"): (0, 40)} | unfinished
    row = compare_levels(
        apart_runs(counts),
        "batchnorm",
        SUCCESS,
        crossed=False,
        rng=np.random.default_rng(0),
        varied=("architecture", "batchnorm"),
    ).pairs.iloc[0]
    assert row.estimate == pytest.approx(0, abs=1e-9)
    assert row.p_holm > 0.5
    sizes = {1: (80, 160), 2: (60, 240)}[len(unfinished)]
    assert (row.n_points, row.n_runs) == sizes


def test_levels_without_a_common_architecture_are_not_compared() -> None:
    runs = apart_runs({("none", "mlp"): (0, 40), ("generator", "dcgan"): (100, 140), ("none", "x"): (0, 40)})
    row = compare_levels(
        runs,
        "batchnorm",
        SUCCESS,
        crossed=False,
        rng=np.random.default_rng(0),
        varied=("architecture",),
    ).pairs.iloc[0]
    assert np.isnan(row.estimate)
    assert row.reason == NO_POINT


def test_disagreements_list_the_points_and_their_parameters() -> None:
    runs = crossed_runs({"a": [1, 0, 0.5], "b": [1, 0.5, 0]})
    found = compare(runs, varied=("loss", "lr")).disagreements
    assert found.to_dict("list") == {
        "point": [1, 2],
        "first": ["a", "a"],
        "second": ["b", "b"],
        "share_first": [0.0, 0.5],
        "share_second": [0.5, 0.0],
        "lr": [0.001, 0.002],
    }


def test_ranked_pairs_are_never_negative() -> None:
    found = compare(crossed_runs({"a": B, "b": A, "c": [1.0] * 24}))
    ranked = found.ranked
    assert (ranked.estimate >= 0).all()
    assert ranked.estimate.is_monotonic_decreasing
    turned = ranked[(ranked["first"] == "b") & (ranked["second"] == "a")].iloc[0]
    was = found.pairs.iloc[0]
    assert (turned.estimate, turned.ci_low, turned.ci_high) == (-was.estimate, -was.ci_high, -was.ci_low)
    assert (turned.n_first, turned.n_second, turned.p) == (was.n_second, was.n_first, was.p)


def with_fids(fids: dict[str, list[float]], **columns: Any) -> pd.DataFrame:
    """A run of each level at each point that ends with this FID; NaN for none."""
    rows = [
        {"point": point, "loss": loss, "fid_ratio": fid, "outcome": "noise", "replicate": 0, "stopped": False}
        for loss, of_points in fids.items()
        for point, fid in enumerate(of_points)
    ]
    return pd.DataFrame(rows).assign(adaptive=False, **columns)


def ranked(runs: pd.DataFrame, **options: Any) -> Comparison:
    return compare_levels(runs, "loss", LOWER_FID, crossed=True, rng=np.random.default_rng(0), **options)


def test_the_lower_fid_of_each_point_counts_by_however_little() -> None:
    hinge = [1.0] * 9 + [5.0, 1e6, 3.0]
    row = ranked(with_fids({"hinge": hinge, "minimax": [1.001] * 9 + [4.0, 2.0, 3.0]})).pairs.iloc[0]
    assert (row.n_points, row.n_first, row.n_second) == (12, 9, 2)
    assert row.estimate == pytest.approx((9 - 2) / 12)
    assert row.ci_low < row.estimate < row.ci_high
    assert row.p == row.p_permutation == pytest.approx(binomtest(9, 11).pvalue)


def test_what_diverged_is_last_and_what_has_no_fid_is_not_compared() -> None:
    runs = with_fids({"a": [1.0, 9.0, 9.0, np.nan, 7.0], "b": [1e9, 1e9, 3.0, 1.0, 8.0]})
    runs.loc[[0, 6], "outcome"] = "diverged"  # a at the first point, b at the second
    found = ranked(runs)
    row = found.pairs.iloc[0]
    assert (row.n_points, row.n_first, row.n_second) == (4, 2, 2)
    assert row.n_runs == 8
    assert found.disagreements.empty
    assert np.isnan(found.overall.p)
    assert found.overall.n_points == 4


@pytest.mark.parametrize(
    ("changes", "cross", "compared"),
    [
        ({}, ("loss",), True),
        ({}, (), False),
        ({"fid_ratio": np.nan}, ("loss",), False),
        ({"stopped": True}, ("loss",), False),
        ({"stopped": True, "outcome": "diverged"}, ("loss",), True),
    ],
)
def test_fids_are_compared_where_all_of_them_are_of_the_end(
    changes: dict[str, Any], cross: tuple[str, ...], compared: bool
) -> None:
    runs = with_fids({"a": [1.0, 2.0], "b": [2.0, 1.0]}, collapse_ever=False, saturation_ever=False)
    space = {"loss": Choice(values=("a", "b")), "lr": Range(low=0.1, high=1)}
    spec = StudySpec.model_construct(name="s", space=space, design=Design(points=2, cross=cross))
    own = runs.assign(lr=0.5, run=runs.index.astype(str), **changes)
    nothing: Any = None
    study = Study(StudyFrames("s", spec, nothing, own, nothing, nothing, nothing, Path()))
    assert (LOWER_FID in {one.event for one in comparisons(study)}) == compared


def test_seeds_are_ranked_one_by_one() -> None:
    """A single great run of three does not make a level the better one at its point."""
    runs = pd.concat(
        with_fids({"a": [a] * 4, "b": [b] * 4}).assign(replicate=seed)
        for seed, (a, b) in enumerate([(1.0, 50.0), (9.0, 8.0), (9.0, 8.0)])
    )
    row = ranked(runs).pairs.iloc[0]
    assert row.estimate == pytest.approx(1 / 3 - 2 / 3)
    assert (row.n_points, row.n_runs) == (4, 24)

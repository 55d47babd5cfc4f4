"""The arithmetic behind the figures: medians, ratios, marks."""

from __future__ import annotations

import pytest

from benchmarks.cohorts import SizeCosts
from benchmarks.operations import Operations
from benchmarks.shares import ALL_KINDS, DISPATCH, KINDS, kind_of, largest, shares_of
from benchmarks.steps import Ours
from benchmarks.table import Sample, Section, Target, markdown_table
from stability.spec.config import Config


def test_a_sample_shows_its_median_and_its_range() -> None:
    assert Sample((3.0, 1.0, 10.0)).text(1) == "3.0 (1.0..10.0)"
    assert Sample((1234.5,)).text(1) == "1,234.5"


def test_ratios_are_taken_round_by_round() -> None:
    ratio = Sample((10.0, 40.0, 30.0)).over(Sample((1.0, 2.0, 10.0)))
    assert ratio.values == (10.0, 20.0, 3.0)
    assert ratio.median == 10.0


def test_samples_of_different_rounds_have_no_ratio() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Sample((1.0, 2.0)).over(Sample((1.0,)))


@pytest.mark.parametrize(
    ("target", "value", "met"),
    [
        (Target(5), 5.0, True),
        (Target(5), 4.9, False),
        (Target(10, "most"), 10.0, True),
        (Target(10, "most"), 10.1, False),
    ],
)
def test_a_miss_is_marked_and_kept(target: Target, value: float, met: bool) -> None:
    section = Section("Some")
    cell = section.judged(Sample((value,)), target, "a figure", case="mlp")
    assert ("missed" in cell) is not met
    assert [(kept.what, kept.value, kept.case) for kept in section.shortfalls] == (
        [] if met else [("a figure", value, "mlp")]
    )


def test_a_table_is_markdown() -> None:
    assert markdown_table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
    with pytest.raises(ValueError, match="3 cells below 2"):
        markdown_table(["a", "b"], [["1", "2", "3"]])


def test_diagnostics_cost_what_recording_adds() -> None:
    ours = Ours("", plain=Sample((2.0, 4.0)), recorded=Sample((2.2, 4.8)))
    assert ours.diagnostics_percent.values == pytest.approx((10.0, 20.0))


def test_the_floor_is_arithmetic_and_traffic() -> None:
    assert Operations(flops=2e9, adam_bytes=3e9).floor_seconds(1e9, 2e9) == pytest.approx(3.5)


def size_costs() -> SizeCosts:
    seconds = {1: Sample((4.0, 4.0)), 2: Sample((3.0, 2.0)), 4: Sample((1.0, 1.0))}
    return SizeCosts(Config(), seconds, peaks={1: 100, 2: 200, 4: 400})


def test_the_best_size_is_the_cheapest_that_fits() -> None:
    assert size_costs().best(bound=1000) == 4
    assert size_costs().best(bound=300) == 2
    assert size_costs().best(bound=10) == 1
    assert size_costs().excess_percent(2).values == pytest.approx((200.0, 100.0))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mkldnn::_linear_pointwise", "products"),
        ("aten::bmm", "products"),
        ("aten::mkldnn_convolution", "convolutions"),
        ("aten::_fused_adam_", "optimiser"),
        ("Optimizer.step#Adam.step", "optimiser"),
        ("aten::native_batch_norm_backward", "batchnorm of maps"),
        ("aten::index", "random numbers and batches"),
        ("aten::transpose", "copies and layout"),
        ("aten::tanh", "elementwise and sums"),
        ("aten::add", "elementwise and sums"),
        ("_ProductBackward", DISPATCH),
        ("autograd::engine::evaluate_function: MmBackward0", DISPATCH),
    ],
)
def test_operations_have_kinds(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_shares_are_of_the_whole_time() -> None:
    shares = shares_of([("aten::mm", 2.0), ("aten::tanh", 1.0)], seconds=4.0)
    assert set(shares) == set(ALL_KINDS) > set(KINDS)
    assert (shares["products"], shares["elementwise and sums"], shares[DISPATCH]) == (0.5, 0.25, 0.25)
    assert largest(shares, 1) == "products 50%"

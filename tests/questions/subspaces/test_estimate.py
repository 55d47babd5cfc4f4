from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stability.questions.subspaces.estimate import WHOLE, boxes, rates_along, subbox_rates
from stability.spec import Choice, Range, StudySpec
from stability.statistics.rates import COLUMNS, rate

LR = Range(low=1e-5, high=1e-2, log=True)
BETA1 = Range(low=0.0, high=0.9)


def spec_of(**space: Range | Choice) -> StudySpec:
    return StudySpec(name="parts", space={"loss": Choice(values=("hinge", "minimax")), **space})


def runs_over(points: int = 64) -> pd.DataFrame:
    """Nearly stable where the learning rate is at most 1e-3, both losses at every point."""
    place = (np.arange(points) + 0.5) / points
    frame = pd.DataFrame({"point": range(points), "lr": 1e-5 * 1000**place, "beta1": 0.9 * (place * 7 % 1)})
    both = pd.concat([frame.assign(loss=loss) for loss in ("hinge", "minimax")], ignore_index=True)
    well = both["lr"] <= 1e-3
    return both.assign(
        outcome=np.where(well, "nearly-stable", "diverged"),
        collapse_ever=both["loss"] == "minimax",
        adaptive=False,
    )


def test_rates_on_the_standard_range_are_those_of_its_runs() -> None:
    runs = runs_over()
    found = subbox_rates(runs, spec_of(lr=LR, beta1=BETA1), "loss")
    assert list(found.columns) == ["parameter", "low", "high", "level", "event", *COLUMNS]
    here = found[(found.parameter == "lr") & (found.level == "hinge") & (found.event == "success")].iloc[0]
    inside = runs[runs.lr.between(1e-4, 1e-3) & (runs.loss == "hinge")]
    assert (here.low, here.high) == (1e-4, 1e-3)
    pd.testing.assert_series_equal(here[list(COLUMNS)], rate(inside, "success").iloc[0], check_names=False)
    assert here.estimate == 1
    assert (found.loc[found.event == "collapse_ever"].groupby("level").estimate.nunique() == 1).all()


def test_the_whole_space_comes_first() -> None:
    runs = runs_over()
    found = subbox_rates(runs, spec_of(lr=LR), "loss", ("success",))
    assert found.parameter.tolist() == [WHOLE, WHOLE, "lr", "lr"]
    assert found.estimate.iloc[0] == rate(runs[runs.loss == "hinge"], "success").estimate.iloc[0]
    assert found.low.isna().tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("name", "domain", "expected"),
    [
        ("lr", LR, [(1e-4, 1e-3)]),
        (
            "lr",
            Range(low=1e-4, high=1e-3, log=True),
            [(1e-4, 1e-3**0.5 * 1e-4**0.5), (1e-3**0.5 * 1e-4**0.5, 1e-3)],
        ),
        ("lr", Range(low=5e-4, high=5e-2, log=True), [(5e-4, 5e-3), (5e-3, 5e-2)]),
        ("beta1", BETA1, [(0.4, 0.6)]),
        ("width", Range(low=1.0, high=4.0), [(1.0, 2.5), (2.5, 4.0)]),
    ],
)
def test_parts_are_the_standard_range_or_two(
    name: str, domain: Range, expected: list[tuple[float, float]]
) -> None:
    runs = runs_over().assign(width=1.0)
    np.testing.assert_allclose(boxes(runs, name, domain), expected)


def test_a_standard_range_with_few_points_gives_way() -> None:
    few = runs_over(16)
    assert boxes(few, "beta1", BETA1) == ((0.0, 0.5), (0.5, 0.9))
    assert boxes(few, "beta1", Range(low=0.0, high=0.5)) == ((0.0, 0.25), (0.25, 0.5))
    middle = pytest.approx(np.sqrt(1e-5 * 1e-2))
    assert boxes(few.iloc[:4], "lr", LR) == ((1e-5, middle), (middle, 1e-2))


def test_adaptive_runs_count_as_no_points() -> None:
    runs = runs_over()
    inside = runs["lr"].between(1e-4, 1e-3)
    assert boxes(runs, "lr", LR) == ((1e-4, 1e-3),)
    assert len(boxes(runs.assign(adaptive=inside), "lr", LR)) == 2


def test_two_parts_share_no_run_and_leave_none_out() -> None:
    runs = runs_over(8).assign(width=[1.0, 1.5, 2.5, 2.5, 3.0, 4.0, 4.0, 1.0] * 2)
    found = subbox_rates(runs, spec_of(width=Range(low=1.0, high=4.0)), "loss", ("success",))
    counts = found[found.parameter == "width"].groupby("low").n_runs.sum()
    assert counts.to_dict() == {1.0: 6, 2.5: 10}


def test_no_runs_have_no_rates_but_columns() -> None:
    found = subbox_rates(runs_over()[:0], spec_of(lr=LR), "loss")
    assert found.empty
    assert list(found.columns) == ["parameter", "low", "high", "level", "event", *COLUMNS]


def test_thirds_part_a_range_on_its_scale() -> None:
    runs = runs_over(63)
    found = rates_along(runs, spec_of(lr=LR, beta1=BETA1), ("success", "collapse_ever"))
    assert list(found.columns) == ["parameter", "low", "high", "event", *COLUMNS]
    cuts = found[found.event == "success"].set_index("parameter")[["low", "high"]]
    np.testing.assert_allclose(cuts.loc["lr"], [[1e-5, 1e-4], [1e-4, 1e-3], [1e-3, 1e-2]])
    np.testing.assert_allclose(cuts.loc["beta1"], [[0, 0.3], [0.3, 0.6], [0.6, 0.9]])
    along = found[(found.parameter == "lr") & (found.event == "success")]
    assert along.estimate.tolist() == [1, 1, 0]
    for own in (found.groupby(["parameter", "event"]).n_runs.sum(), along.n_runs * 3):
        assert set(own) == {len(runs)}
    lowest = rate(runs[runs.lr < 1e-4], "collapse_ever").iloc[0]
    here = found[(found.parameter == "lr") & (found.event == "collapse_ever")].iloc[0]
    pd.testing.assert_series_equal(here[list(COLUMNS)], lowest, check_names=False)


def test_a_value_where_two_thirds_meet_counts_once() -> None:
    runs = runs_over(8).assign(beta1=np.tile([0, 0.25, 0.25, 0.5, 0.75, 0.75, 0.75, 0.75], 2))
    found = rates_along(runs, spec_of(beta1=Range(low=0.0, high=0.75)), ("success",))
    assert found.n_runs.tolist() == [2, 4, 10]


def test_a_run_without_a_value_is_in_no_third() -> None:
    runs = runs_over(63)
    here = runs["lr"] < 1e-3
    found = rates_along(runs.assign(lr=runs["lr"].where(here)), spec_of(lr=LR), ("success",))
    pd.testing.assert_frame_equal(found[:2], rates_along(runs, spec_of(lr=LR), ("success",))[:2])
    assert found.n_runs.tolist()[2] == 0


def test_choices_have_no_thirds() -> None:
    assert rates_along(runs_over(), spec_of()).empty

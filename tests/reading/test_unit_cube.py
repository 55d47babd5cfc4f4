from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability.reading.unit_cube import Scale, one_hot, scale_of, unit_cube
from stability.spec import Choice, Range, StudySpec

LR = Scale("lr", 1e-4, 1e-2, log=True)
BETA = Scale("beta1", 0.0, 0.95)
WIDTH = Scale("width", 8, 128, log=True, integer=True)


def test_a_logarithmic_side_has_its_geometric_mean_in_the_middle() -> None:
    np.testing.assert_allclose(LR.to_unit(np.array([1e-4, 1e-3, 1e-2])), [0, 0.5, 1], atol=1e-12)
    np.testing.assert_allclose(BETA.to_unit(np.array([0.0, 0.475])), [0, 0.5])


def test_what_has_no_place_is_missing() -> None:
    assert np.isnan(LR.to_unit(np.array([0.0, -1.0, np.nan]))).all()
    assert Scale("lr", 1.0, 1.0).to_unit(np.array([1.0])).tolist() == [0.5]


@given(st.floats(0, 1), st.sampled_from([LR, BETA, WIDTH]))
def test_there_and_back_is_the_same(place: float, scale: Scale) -> None:
    assert scale.to_unit(scale.from_unit(np.array([place])))[0] == pytest.approx(place, abs=1e-9)


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from([LR, BETA, WIDTH]))
def test_rounding_never_leaves_the_interval(one: float, other: float, scale: Scale) -> None:
    low, high = sorted((one, other))
    first, last = scale.rounded_inward(low, high)
    ends = scale.to_unit(np.array([first, last]))
    assert low - 1e-6 <= ends[0] <= ends[1] + 1e-9 <= high + 1e-6


def test_ends_are_short_numbers_and_whole_sides_stay_whole() -> None:
    assert LR.rounded_inward(0.12345, 0.6789) == (0.000177, 0.00227)
    assert LR.rounded_inward(0, 1) == (1e-4, 1e-2)
    assert WIDTH.rounded_inward(0.3, 0.9) == (19, 97)


def test_scales_come_from_the_study() -> None:
    ranges = Range(low=1, high=9, log=True)
    spec = StudySpec(name="s", space={"lr_ratio": ranges, "loss": Choice(values=("hinge",))})
    assert scale_of(spec, "lr_ratio") == Scale("lr_ratio", 1, 9, log=True)
    with pytest.raises(KeyError):
        scale_of(spec, "loss")


def test_the_cube_has_a_column_a_scale() -> None:
    runs = pd.DataFrame({"lr": [1e-4, 1e-2], "beta1": [0.95, np.nan]})
    np.testing.assert_array_equal(unit_cube(runs, (LR, BETA)), [[0, 1], [1, np.nan]])
    assert unit_cube(runs, ()).shape == (2, 0)


def test_factors_take_as_few_columns_as_tell_their_levels_apart() -> None:
    runs = pd.DataFrame({"two": ["b", "a", "b"], "one": ["x"] * 3, "three": [1.0, 2.0, None]})
    columns, owners = one_hot(runs, ("two", "one", "three"))
    assert owners == ("two", "three", "three", "three")
    np.testing.assert_array_equal(columns[:, 0], [1, 0, 1])
    np.testing.assert_array_equal(columns[:, 1:].sum(axis=1), [1, 1, 1])

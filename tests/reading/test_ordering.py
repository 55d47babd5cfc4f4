from __future__ import annotations

import pandas as pd

from stability.reading.ordering import in_design_order
from stability.spec import Choice, Design, StudySpec

SPEC = StudySpec(
    name="s",
    space={"loss": Choice(values=("minimax", "hinge")), "batchnorm": Choice(values=(None, "generator"))},
    design=Design(points=2, seeds=2, cross=("loss", "batchnorm")),
)


def in_order() -> pd.DataFrame:
    rows = [
        {"point": point, "loss": loss, "batchnorm": norm, "run": f"{point}-{seed}-{loss}-{norm}"}
        for point in (2, 10)
        for loss in ("minimax", "hinge")
        for norm in (None, "generator")
        for seed in (0, 1)
    ]
    return pd.DataFrame(rows)


def test_points_then_levels_as_listed_then_names() -> None:
    expected = in_order()
    found = in_design_order(expected.sample(frac=1, random_state=3), SPEC)
    pd.testing.assert_frame_equal(found, expected)


def test_a_factor_that_is_no_column_and_a_level_that_is_not_listed_do_no_harm() -> None:
    runs = in_order().drop(columns="batchnorm")
    runs.loc[0, "loss"] = "hinge-of-old"
    found = in_design_order(runs.sample(frac=1, random_state=3), SPEC)
    assert found["loss"].iloc[7] == "hinge-of-old"
    assert found["point"].is_monotonic_increasing


def test_no_runs_stay_none() -> None:
    assert in_design_order(in_order()[:0], SPEC).empty

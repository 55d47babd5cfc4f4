from __future__ import annotations

import pandas as pd
import pytest

from stability.reading.map_axes import MapAxes, map_axes, map_points
from stability.spec import Choice, Design, Range, StudySpec

LOG, LINEAR = Range(low=0.1, high=10, log=True), Range(low=0, high=1)
LOSSES = Choice(values=("hinge", "minimax"))
NORMS = Choice(values=("none", "generator"))


def axes_of(space: dict[str, Range | Choice]) -> MapAxes | None:
    return map_axes(StudySpec(name="s", space=space, design=Design()), pd.DataFrame(columns=list(space)))


def test_lr_ratio_and_beta1_come_first_wherever_they_stand() -> None:
    axes = axes_of({"lr": LOG, "beta1": LINEAR, "batchnorm": NORMS, "loss": LOSSES, "lr_ratio": LOG})
    assert axes == MapAxes("lr_ratio", "beta1", True, False, "loss", ("batchnorm",))


def test_what_matters_most_comes_before_what_is_usual() -> None:
    space: dict[str, Range | Choice] = {"lr": LOG, "beta1": LINEAR, "loss": LOSSES, "lr_ratio": LOG}
    spec, runs = StudySpec(name="s", space=space, design=Design()), pd.DataFrame(columns=list(space))
    drawn = [map_axes(spec, runs, over) for over in (("loss", "beta1", "lr"), ("lr",), ())]
    assert [(axes.x, axes.y) for axes in drawn if axes] == [
        ("beta1", "lr"),
        ("lr", "lr_ratio"),
        ("lr_ratio", "beta1"),
    ]


@pytest.mark.parametrize(
    ("space", "x", "y"),
    [
        ({"lr": LOG, "dropout": LINEAR}, "lr", "dropout"),
        ({"lr": LOG, "beta1": LINEAR}, "beta1", "lr"),
        ({"lr": LOG}, "lr", "replicate"),
    ],
)
def test_other_parameters_stand_in(space: dict[str, Range | Choice], x: str, y: str) -> None:
    axes = axes_of(space)
    assert axes is not None
    assert (axes.x, axes.y, axes.column, axes.rows) == (x, y, None, ())


def test_without_a_range_there_is_no_map() -> None:
    assert axes_of({"loss": LOSSES}) is None


def test_seeds_at_one_spot_get_places_of_their_own() -> None:
    runs = pd.DataFrame(
        {
            "run": ["a", "b", "c"],
            "lr_ratio": [1.0, 1.0, 1.0],
            "beta1": [0.5, 0.5, 0.5],
            "loss": ["hinge", "hinge", "minimax"],
            "batchnorm": ["none", "none", "none"],
            "outcome": ["stable", "diverged", "stable"],
        }
    )
    points = map_points(runs, MapAxes("lr_ratio", "beta1", True, False, "loss", ("batchnorm",)))
    assert list(points["place"]) == [0, 1, 0]
    assert list(points["crowd"]) == [2, 2, 1]
    assert set(points["row"]) == {"batchnorm none"}

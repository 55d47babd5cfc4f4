from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from stability.errors import StabilityError
from stability.questions.advice.setting import Setting, read_setting
from stability.spec import Choice, Design, Range, StudySpec

SPEC = StudySpec(
    name="s",
    space={
        "loss": Choice(values=("minimax", "hinge", "wgan-gp")),
        "lr": Range(low=1e-4, high=1e-2, log=True),
        "lr_ratio": Range(low=0.1, high=10, log=True),
        "batchnorm": Choice(values=("none", "generator")),
    },
    fixed={"batch_size": 64},
    variants={"plain": {}, "smooth": {"label_smoothing": 0.1}},
    design=Design(points=3, cross=("loss",)),
)
RUNS = pd.DataFrame(
    [
        {
            "run": f"p{point}-{loss}-{variant}",
            "point": point,
            "loss": loss,
            "variant": variant,
            "lr": lr,
            "lr_ratio": 1.0,
            "batchnorm": ("none", "generator")[point % 2],
            "batch_size": 64,
            "n_dis": 5 if loss == "wgan-gp" else 1,
            "label_smoothing": 0.1 if variant == "smooth" else 0.0,
            "weight_clip": None,
        }
        for point, lr in enumerate((1e-4, 1e-3, 1e-2))
        for loss in ("minimax", "hinge", "wgan-gp")
        for variant in ("plain", "smooth")
    ]
)


def asked(**values: Any) -> Setting:
    return read_setting(values, SPEC, RUNS)


def outside(**values: Any) -> str:
    return asked(**values).outside(RUNS)


def test_every_parameter_has_its_part() -> None:
    setting = asked(loss="hinge", batch_size=64, lr=1e-3, batchnorm="none", variant="plain")
    assert (setting.axes, setting.drawn) == (("lr",), ("batchnorm",))
    assert set(setting.picks) == {"loss", "batch_size", "variant"}


def test_crossed_named_and_fixed_values_pick_the_runs() -> None:
    assert set(asked(loss="hinge", variant="plain").picked(RUNS)["run"]) == {
        "p0-hinge-plain",
        "p1-hinge-plain",
        "p2-hinge-plain",
    }
    assert set(asked(n_dis=5).picked(RUNS)["loss"]) == {"wgan-gp"}  # as the recipe set it
    assert set(asked(label_smoothing=0.1).picked(RUNS)["variant"]) == {"smooth"}
    assert len(asked(weight_clip=None).picked(RUNS)) == len(asked(lr=1e-3).picked(RUNS)) == len(RUNS)


def test_a_run_without_a_value_on_an_axis_is_not_picked() -> None:
    runs = RUNS.assign(lr=RUNS["lr"].where(RUNS["point"] > 0))
    assert set(asked(loss="hinge", lr=1e-3).picked(runs)["point"]) == {1, 2}
    assert set(asked(loss="hinge").picked(runs)["point"]) == {0, 1, 2}


def test_a_variant_is_not_asked_for_with_what_it_sets_itself() -> None:
    spec = SPEC.model_copy(update={"variants": SPEC.variants | {"slow": {"lr": 1e-5}}})
    with pytest.raises(StabilityError, match="lr: the variant slow sets it itself"):
        read_setting({"variant": "slow", "lr": 1e-3}, spec, RUNS)
    assert read_setting({"variant": "plain", "lr": 1e-3}, spec, RUNS).axes == ("lr",)


def test_distances_are_done_by_hand() -> None:
    nearest = asked(loss="hinge", variant="plain", lr=1e-3, lr_ratio=10).nearest(RUNS, 4)
    assert nearest["run"].tolist()[0] == "p1-hinge-plain"
    assert set(nearest["run"].tolist()[1:3]) == {"p0-hinge-plain", "p2-hinge-plain"}
    # half of lr's range in logarithms, half of lr_ratio's; then another level
    np.testing.assert_allclose(nearest["distance"].tolist()[:3], [0.5, np.sqrt(0.5), np.sqrt(0.5)])
    np.testing.assert_allclose(nearest["distance"].tolist()[3:], [np.sqrt(1.25)] * 3)
    assert set(nearest["run"].tolist()[3:]) == {"p1-minimax-plain", "p1-wgan-gp-plain", "p1-hinge-smooth"}


def test_of_the_nearest_points_all_runs_are_near() -> None:
    """Six runs a point: what was not set makes no distance."""
    nearest = asked(lr=1e-4).nearest(RUNS, 2)
    assert nearest["point"].tolist() == [0] * 6 + [1] * 6
    assert set(asked(loss="hinge").nearest(RUNS, 1)["run"]) == set(RUNS["run"][RUNS["loss"] == "hinge"])


def test_a_run_is_told_by_the_values_that_differ_most() -> None:
    setting = asked(loss="hinge", lr=1e-3, lr_ratio=5, batchnorm="generator")
    told = dict(zip(RUNS["run"], setting.apart(RUNS, ("variant",)), strict=True))
    assert told["p1-hinge-plain"] == "lr_ratio 1, variant plain"
    assert told["p1-minimax-plain"] == "loss minimax, lr_ratio 1"
    assert told["p0-hinge-smooth"] == "batchnorm none, lr 1e-4"
    assert asked(loss="hinge", variant="plain").apart(RUNS[RUNS["run"] == "p1-hinge-plain"], ()) == [""]


def test_inputs_are_the_cube_and_the_drawn_levels() -> None:
    inputs = asked(lr=1e-3, batchnorm="none", loss="hinge").inputs(RUNS[::6])
    np.testing.assert_allclose(inputs, [[0, 1], [0.5, 0], [1, 1]])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"lr": 1.0}, "lr 1 (drawn from 0.0001 to 0.01)"),
        ({"lr": 9.9e-5}, "lr 9.9e-05 (drawn from 0.0001 to 0.01)"),
        ({"loss": "wasserstein"}, "loss wasserstein (trained: minimax, hinge, wgan-gp)"),
        ({"batch_size": 128, "lr": 1e-3}, "batch_size 128 (trained: 64)"),
        ({"weight_clip": 0.01}, "weight_clip 0.01 (trained: none)"),
        ({"loss": "hinge", "n_dis": 5}, "loss hinge together with n_dis 5"),
        ({"lr": 1.0, "batch_size": 128}, "lr 1 (drawn from 0.0001 to 0.01); batch_size 128 (trained: 64)"),
    ],
)
def test_what_was_not_trained_is_named(values: dict[str, Any], words: str) -> None:
    assert outside(**values) == f"outside of what this study trained: {words}"


def test_an_architecture_of_another_atlas_is_named() -> None:
    runs = RUNS.assign(architecture="mlp")
    named = [asked(architecture=name).outside(runs).partition("trained: ")[2] for name in ("dcgan", "maxout")]
    assert named[0].endswith("architecture dcgan (trained: mlp; without RESULTS an atlas of dcgan answers)")
    assert named[1].endswith("architecture maxout (trained: mlp)")


def test_the_ends_of_a_range_are_inside() -> None:
    assert outside(lr=1e-4) == outside(lr=1e-2) == outside(lr=1e-3, loss="wgan-gp", n_dis=5) == ""


def test_two_learning_rates_are_the_pair_that_was_drawn() -> None:
    setting = asked(lr_g=1e-4, lr_d=4e-4)
    assert setting.values == {"lr": pytest.approx(2e-4), "lr_ratio": pytest.approx(4)}
    assert setting.axes == ("lr", "lr_ratio")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "a setting has at least one parameter"),
        ({"lr": "fast"}, 'lr: must be a number above 0 and at most 1e+30, not "fast"'),
        ({"lr": [1e-3]}, "lr: must be a single value"),
        ({"sampler": 1}, 'sampler: unknown parameter "sampler"'),
        ({"g_lr": 1e-3}, 'g_lr: unknown parameter "g_lr"; here it is called "lr_g"'),
        ({"loss": "hing"}, 'loss: not "hing"; did you mean "hinge"? it must be one of '),
        ({"dataset": "mnist"}, "dataset: is of a whole study, no parameter; this study is of mnist"),
        (
            {"variant": "smoth"},
            'variant: unknown variant "smoth"; did you mean "smooth"? allowed: plain, smooth',
        ),
        ({"configuration": "a"}, 'configuration: unknown parameter "configuration"'),
        ({"lr_g": 1e-3}, "lr_g: this study draws lr or lr_ratio; give lr and lr_ratio, or lr_g and lr_d"),
        ({"lr_g": 1e-3, "lr_d": 1e-3, "lr": 1e-3}, "lr_g: this study draws lr or lr_ratio"),
    ],
)
def test_bad_values_are_one_line(values: dict[str, Any], words: str) -> None:
    with pytest.raises(StabilityError) as error:
        asked(**values)
    assert words in str(error.value)
    assert "\n" not in str(error.value)

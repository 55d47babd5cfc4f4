"""Defaults < recipe < what the study says; and what is doubtful."""

from __future__ import annotations

from typing import Any

import pytest

from stability.spec import PARAMETERS, RECIPES, Config, doubts, make_config


def test_defaults() -> None:
    assert make_config({}) == Config()


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_sets_its_values_and_keeps_its_name(recipe: str) -> None:
    config = make_config({"loss": recipe, "lr": 1e-3})
    assert config.recipe == recipe
    assert config.lr == 1e-3
    for name, value in RECIPES[recipe].items():
        assert getattr(config, name) == value


def test_the_study_wins_over_the_recipe() -> None:
    config = make_config({"loss": "wgan-clip", "n_dis": 1, "weight_clip": None})
    assert (config.loss, config.recipe, config.n_dis, config.weight_clip) == (
        "wasserstein",
        "wgan-clip",
        1,
        None,
    )


def test_recipes_set_parameters_but_no_optimiser() -> None:
    rates = {"lr", "lr_ratio", "lr_g", "lr_d"}
    trained = ("beta1", "beta2", "optimizer", "momentum", "weight_decay")
    confounding = rates | {name for name in PARAMETERS if name.startswith(trained)}
    for recipe in RECIPES.values():
        assert set(recipe) <= set(PARAMETERS) - confounding


def test_the_two_learning_rates_have_the_given_ratio_and_mean() -> None:
    config = make_config({"lr": 3e-4, "lr_ratio": 7.0})
    assert config.discriminator.lr / config.generator.lr == pytest.approx(7)
    assert (config.discriminator.lr * config.generator.lr) ** 0.5 == pytest.approx(3e-4)


def test_each_network_may_have_its_own_learning_rate() -> None:
    config = make_config({"lr_g": 1e-4, "lr_d": 4e-4})
    assert (config.generator.lr, config.discriminator.lr) == (1e-4, 4e-4)
    assert config.rates == {"lr": pytest.approx(2e-4), "lr_ratio": 4.0, "lr_g": 1e-4, "lr_d": 4e-4}
    alone = make_config({"lr_d": 4e-4})
    assert (alone.generator.lr, alone.discriminator.lr) == (2e-4, 4e-4)
    assert make_config({"lr": 3e-4, "lr_ratio": 7.0}).rates["lr"] == 3e-4


@pytest.mark.parametrize(
    ("recipe", "values"),
    [
        ("dragan", {"loss": "non-saturating", "penalty": "dragan", "penalty_weight": 10.0}),
        ("non-saturating-r1", {"loss": "non-saturating", "penalty": "r1"}),
        ("sngan", {"loss": "hinge", "spectral_norm": True, "penalty": "none"}),
        ("r3gan", {"loss": "relativistic", "penalty": "r1-r2"}),
        ("wgan-gp", {"loss": "wasserstein", "penalty": "gradient-penalty", "n_dis": 5, "weight_clip": None}),
        ("wgan-clip", {"loss": "wasserstein", "weight_clip": 0.01, "n_dis": 5, "penalty": "none"}),
    ],
)
def test_what_each_recipe_stands_for(recipe: str, values: dict[str, Any]) -> None:
    config = make_config({"loss": recipe})
    assert {name: getattr(config, name) for name in values} == values


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, []),
        ({"loss": "wgan-gp", "batchnorm": "generator"}, []),
        ({"loss": "wgan-clip"}, []),
        ({"loss": "wgan-gp", "batchnorm": "both"}, ["batchnorm in the discriminator"]),
        ({"loss": "wgan-gp", "batchnorm": "discriminator"}, ["batchnorm in the discriminator"]),
        ({"loss": "wgan-gp", "dropout": 0.5}, ["with dropout"]),
        ({"loss": "wgan-gp", "weight_clip": 0.01}, ["together with weight_clip"]),
        ({"loss": "wasserstein"}, ["nothing bounds"]),
        ({"loss": "wgan-gp", "penalty_weight": 0.0}, ["nothing bounds", "weight 0"]),
        ({"penalty": "gradient-penalty", "batchnorm": "both", "dropout": 0.1}, ["batchnorm", "dropout"]),
        ({"penalty": "r1", "batchnorm": "discriminator"}, ["batchnorm in the discriminator"]),
        ({"loss": "sngan"}, []),
        ({"loss": "sngan", "weight_clip": 0.01}, ["spectral_norm together with weight_clip"]),
        ({"loss": "sngan", "batchnorm": "both"}, ["batchnorm undoes the bound"]),
        ({"loss": "wasserstein", "spectral_norm": True}, []),
        ({"loss": "r3gan", "label_smoothing": 0.1}, ["label_smoothing has no effect"]),
        ({"loss": "minimax", "label_smoothing": 0.1}, []),
        ({"loss": "hinge", "label_noise": 0.1}, ["label_noise has no effect"]),
        ({"loss": "hinge", "label_smoothing_fake": 0.1}, ["label_smoothing_fake has no effect"]),
        ({"label_smoothing_fake": 0.1}, ["whose fakes have a target above 0"]),
        ({"label_noise": 0.2, "label_smoothing": 0.1}, ["beyond 0 and 1"]),
        ({"loss": "least-squares", "label_noise": 0.2}, []),
        ({"lr_schedule": "linear", "decay_steps": 9, "warmup_steps": 9}, ["warmup_steps is decay_steps"]),
        ({"lr_schedule_g": "linear", "decay_steps": 9}, ["of one network alone"]),
        ({"lr_schedule": "linear", "decay_steps": 9, "warmup_steps": 8}, []),
        ({"label_flip": 0.5}, ["label_flip of .5 or more"]),
        ({"penalty": "r1", "minibatch_std": True}, ["with minibatch_std"]),
        ({"input_range_real": "unit"}, ["input_range_real is not"]),
        ({"input_range_real": "unit", "input_range": "unit"}, []),
        ({"momentum": 0.5}, ["momentum has no effect"]),
        ({"momentum_g": 0.5, "optimizer_d": "rmsprop"}, ["momentum has no effect"]),
        ({"momentum_d": 0.5, "optimizer_d": "rmsprop"}, []),
        ({"optimizer_d": "sgd"}, ["sgd's updates have no scale"]),
        ({"optimizer": "adamw", "weight_decay_g": 0.1}, ["adamw without weight_decay"]),
        ({"penalty": "r1", "norm_d": "batch"}, ["batchnorm in the discriminator"]),
        ({"penalty": "r1", "batchnorm": "both", "norm_d": "layer"}, []),
        ({"momentum": 0.5, "optimizer": "sgd"}, ["sgd's updates have no scale"]),
        ({"momentum": 0.5, "optimizer": "rmsprop"}, []),
        ({"input_range": "bytes"}, ["not normalised"]),
        ({"input_range": "unit"}, []),
        ({"accuracy_bar": 0.8, "n_dis": 2}, ["accuracy_bar with n_dis"]),
        ({"n_dis": 2, "n_gen": 2}, ["both above 1"]),
    ],
)
def test_doubtful_combinations_are_flagged(values: dict[str, Any], words: list[str]) -> None:
    flags = doubts(make_config(values))
    assert len(flags) == len(words)
    assert all(word in flag for word, flag in zip(words, flags, strict=True))

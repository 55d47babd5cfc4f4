from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from small_studies import (
    small_spec,
)

from stability.design.extend import changed_fields, check_extension, extended_plan
from stability.design.plan import make_plan
from stability.errors import StabilityError

HERE = Path("r")
VARIANTS = "variants={a: {}, b: {lr: 0.1}}"
CONFIGS = ("space={}", "design={seeds: 2}", "configs=[{lr: 0.1}, {lr: 0.2}]")
MORE = ("space.loss=[hinge, minimax, non-saturating, wasserstein]", "design.points=3", "design.seeds=3")
"""Of each of the three that can grow one more, the level inserted before the others."""


def fields(*overrides: str) -> dict[str, tuple[object, object]]:
    changes = changed_fields(small_spec(), small_spec(*overrides))
    return {change.field: (change.was, change.now) for change in changes}


# --- what is an addition ----------------------------------------------------------------------------------


def test_an_equal_study_has_no_change() -> None:
    assert fields() == {}
    assert check_extension(small_spec(), small_spec(), HERE) == ()


def test_changes_are_named_by_field() -> None:
    assert fields("space.lr.high=0.02", "fixed.n_dis=2", "design.seed=1") == {
        "space.lr.high": (0.01, 0.02),
        "fixed.n_dis": (None, 2),
        "design.seed": (0, 1),
    }
    ends = {f"space.lr.{name}" for name in ("low", "high", "log", "levels")}
    assert fields("space.lr=[0.1, 0.2]").keys() == {"space.lr", *ends}


@pytest.mark.parametrize(
    "overrides",
    [
        ("design.points=3",),
        ("design.seeds=5",),
        ("space.loss=[minimax, non-saturating, wasserstein, wgan-gp]",),
        ("space.loss=[wasserstein, hinge, minimax, non-saturating]",),
        MORE,
        ("design.sampler=random", "design.points=9"),
        (VARIANTS, "variants={a: {}, c: {n_dis: 2}, b: {lr: 0.1}}", "design.points=3"),
        (*CONFIGS, "configs=[{lr: 0.1}, {lr: 0.2}, {}]", "design.seeds=3"),
    ],
)
def test_additions_are_taken(overrides: tuple[str, ...]) -> None:
    kept = small_spec(*(text for text in overrides if "sampler" in text or text in (VARIANTS, *CONFIGS)))
    changes = check_extension(kept, small_spec(*overrides), HERE)
    grown = {"design.points", "design.seeds", "space.loss", "variants", "variants.c.n_dis", "configs"}
    assert {change.field for change in changes} <= grown
    plan = make_plan(kept, device="cpu", threads=1)
    longer = extended_plan(plan, small_spec(*overrides))
    assert longer.runs[: len(plan.runs)] == plan.runs
    assert longer.cohorts[: len(plan.cohorts)] == plan.cohorts
    whole = make_plan(small_spec(*overrides), device="cpu", threads=1)
    assert {run.run: run for run in longer.runs} == {run.run: run for run in whole.runs}


def test_an_added_variant_that_sets_nothing_is_a_change_all_the_same() -> None:
    kept = small_spec("variants={a: {lr: 0.1}}")
    changes = changed_fields(kept, small_spec("variants={a: {lr: 0.1}, b: {}}"))
    assert [(change.field, change.was, change.now) for change in changes] == [
        ("variants", ("a",), ("a", "b"))
    ]


CATEGORICAL = "space.batchnorm=[none, generator]"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ((), ("design.points=1",), "design.points: 2 -> 1"),
        ((), ("design.seeds=1",), "design.seeds: 2 -> 1"),
        ((), ("design.seed=1",), "design.seed: 0 -> 1"),
        (
            (),
            ("space.loss=[minimax, hinge]",),
            'space.loss: ["minimax", "non-saturating", "wasserstein"] -> [',
        ),
        ((), ("space.lr.high=0.02",), "space.lr.high: 0.01 -> 0.02"),
        ((), ("space.lr.log=false",), "space.lr.log: true -> false"),
        ((), ("recording.keep_weights=true",), "recording.keep_weights: false -> true"),
        ((), ("training.cohort_size=3",), "training.cohort_size: nothing -> 3"),
        ((), ("fixed={width: 8, batch_size: 16}",), "fixed.latent_dim: 8 -> nothing"),
        ((), ("design.sampler=random",), 'design.sampler: "sobol" -> "random"'),
        (
            (CATEGORICAL,),
            ("space.batchnorm=[none, generator, both]",),
            'space.batchnorm: ["none", "generator"] -> ',
        ),
        ((CATEGORICAL,), (CATEGORICAL, "design.cross=[loss, batchnorm]"), 'design.cross: ["loss"] -> ['),
        (
            ("design={sampler: tpe, points: 8, seeds: 1}",),
            ("design={sampler: tpe, points: 8, seeds: 2}",),
            "design.seeds: 1 -> 2",
        ),
        ((VARIANTS,), ("variants={b: {lr: 0.1}, a: {}}",), 'variants: ["a", "b"] -> ["b", "a"]'),
        ((VARIANTS,), ("variants={a: {}}",), 'variants: ["a", "b"] -> ["a"]'),
        ((VARIANTS,), ("variants={a: {}, b: {lr: 0.2}}",), "variants.b.lr: 0.1 -> 0.2"),
        ((), (VARIANTS,), 'variants: nothing -> ["a", "b"]'),
        (CONFIGS, (*CONFIGS[:2], "configs=[{lr: 0.2}, {lr: 0.1}]"), "configs.config-1.lr: 0.1 -> 0.2"),
        (CONFIGS, (*CONFIGS[:2], "configs=[{lr: 0.1}]"), 'configs: ["config-1", "config-2"] -> ["config-1"]'),
        ((), ("design.points=4", "training.steps=30"), "would not compare: training.steps: 40 -> 30; change"),
    ],
)
def test_anything_else_is_refused_by_field(
    before: tuple[str, ...], after: tuple[str, ...], words: str
) -> None:
    with pytest.raises(StabilityError) as caught:
        check_extension(small_spec(*before), small_spec(*after), HERE)
    assert words in str(caught.value)
    assert "--fork" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_many_changes_are_told_in_part() -> None:
    overrides = [f"outcomes.{name}=0.123" for name in ("good_precision", "good_modes", "lost_precision")]
    overrides += [f"fixed.{name}=0.5" for name in ("beta2", "momentum", "dropout", "ema_decay", "lr_ratio")]
    with pytest.raises(StabilityError, match="and 1 more; change them back"):
        check_extension(small_spec(), small_spec(*overrides, "training.steps=9"), HERE)


def test_a_point_that_is_drawn_otherwise_today_is_told() -> None:
    plan = make_plan(small_spec(), device="cpu", threads=1)
    other = plan.runs[0].config.model_copy(update={"lr": 0.5})
    changed = dataclasses.replace(
        plan, runs=(dataclasses.replace(plan.runs[0], config=other), *plan.runs[1:])
    )
    with pytest.raises(StabilityError, match=r"p000-minimax-s0: is drawn otherwise here \(lr: 0\.5 -> "):
        extended_plan(changed, small_spec("design.points=3"))

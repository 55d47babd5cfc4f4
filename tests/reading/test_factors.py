from __future__ import annotations

import pandas as pd
import pytest

from stability.reading.factors import (
    baseline,
    categorical,
    crossed_factors,
    is_log,
    level_text,
    levels,
    numeric,
    with_text_levels,
)
from stability.spec import Choice, Design, Range, StudySpec

SPEC = StudySpec(
    name="s",
    space={
        "lr": Range(low=1e-4, high=1e-2, log=True),
        "batchnorm": Choice(values=("none", "generator")),
        "architecture": Choice(values=("mlp", "dcgan")),
        "beta1": Range(low=0, high=0.9),
        "loss": Choice(values=("hinge", "minimax")),
        "width": Choice(values=(32,)),
    },
    design=Design(cross=("loss", "architecture")),
)
RUNS = pd.DataFrame(columns=list(SPEC.space))


def test_the_loss_comes_first_then_the_crossed_factors() -> None:
    assert categorical(SPEC, RUNS) == ("loss", "architecture", "batchnorm")


def test_ranges_are_numeric_in_file_order() -> None:
    assert numeric(SPEC, RUNS) == ("lr", "beta1")
    assert [is_log(SPEC, name) for name in ("lr", "beta1", "replicate")] == [True, False, False]


def test_the_loss_is_crossed_by_default_where_it_is_a_list() -> None:
    assert crossed_factors(StudySpec(name="s", space={"loss": Choice(values=("hinge", "minimax"))})) == (
        "loss",
    )
    assert crossed_factors(StudySpec(name="s")) == ()
    assert crossed_factors(SPEC) == ("loss", "architecture")


def test_named_factors_come_first_and_what_a_variant_sets_is_no_factor() -> None:
    variants = {"baseline": {}, "fast": {"lr": 1e-3, "width": 8}, "both": {"batchnorm": "both"}}
    spec = SPEC.model_copy(update={"variants": variants})
    runs = RUNS.assign(variant=[])
    assert categorical(spec, runs) == ("variant", "loss", "architecture")
    assert numeric(spec, runs) == ("lr", "beta1")
    most = spec.model_copy(update={"variants": variants | {"slow": {"lr": 1e-5}}})
    assert numeric(most, runs) == ("lr", "beta1")
    assert numeric(most.model_copy(update={"variants": most.variants | {"slower": {"lr": 1e-6}}}), runs) == (
        "beta1",
    )
    assert levels(spec, "variant") == ("baseline", "fast", "both")
    assert (baseline(spec, "variant"), baseline(spec, "loss")) == ("baseline", None)
    given = StudySpec(name="s", configs={"a": {}, "b": {"lr": 1.0}})
    assert categorical(given, pd.DataFrame(columns=["configuration"])) == ("configuration",)


@pytest.mark.parametrize(
    ("level", "text"),
    [
        (None, "none"),
        (float("nan"), "none"),
        (pd.NA, "none"),
        (True, "true"),
        (0.01, "0.01"),
        (5, "5"),
        ("mlp", "mlp"),
    ],
)
def test_levels_read_as_in_the_study_file(level: object, text: str) -> None:
    assert level_text(level) == text


def test_a_missing_level_and_the_file_s_null_become_the_same_text() -> None:
    spec = StudySpec(name="s", space={"weight_clip": Choice(values=(None, 0.01))})
    runs = with_text_levels(pd.DataFrame({"weight_clip": [float("nan"), 0.01]}), ("weight_clip",))
    assert tuple(runs["weight_clip"]) == levels(spec, "weight_clip") == ("none", "0.01")

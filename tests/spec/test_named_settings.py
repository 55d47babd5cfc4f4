"""Variants and configurations: what they are read as, and what a run at their levels is given."""

from __future__ import annotations

import pytest

from stability.spec import Choice, Range, dump_study, parse_study

VARIANTS = """\
name: s
space:
  loss: [hinge, wgan-gp]
  lr: {low: 1e-4, high: 1e-2, log: true}
fixed: {n_dis: 2, width: 32}
variants:
  baseline: {}
  slow: {lr: 1e-5, n_dis: 1}
  unclipped: {weight_clip: null, latent: uniform}
"""
LISTED = "name: s\nfixed: {width: 32}\nconfigs:\n- {loss: hinge}\n-\n  loss: wgan-gp\n  width: 8\n- {}\n"
NAMED = "name: s\nfixed: {width: 32}\nconfigs: {plain: {}, b-2: {loss: hinge}}\n"


@pytest.mark.parametrize("text", [VARIANTS, LISTED, NAMED])
def test_a_study_with_names_reads_back_as_itself(text: str) -> None:
    spec = parse_study(text)
    assert parse_study(dump_study(spec)) == spec
    assert dump_study(parse_study(dump_study(spec))) == dump_study(spec)


def test_a_study_without_names_is_written_as_before_there_were_any() -> None:
    assert not {"variants:", "configs:"} & set(dump_study(parse_study("name: s")).split())


def test_variants_are_one_more_crossed_factor() -> None:
    spec = parse_study(VARIANTS)
    assert spec.design.cross == spec.crossed == ("loss", "variant")
    assert spec.factors["variant"] == Choice(values=("baseline", "slow", "unclipped"))
    assert spec.sampled == {"lr": Range(low=1e-4, high=1e-2, log=True)}
    assert spec.overridden == {"lr"}
    first = parse_study(VARIANTS, overrides=["design.cross=[variant, loss]"])
    assert first.crossed == ("variant", "loss")
    alone = parse_study(VARIANTS, overrides=["design.cross=[]"])
    assert alone.crossed == ("variant",)
    assert set(alone.sampled) == {"loss", "lr"}


def test_a_variant_wins_over_what_is_fixed_or_drawn() -> None:
    spec = parse_study(VARIANTS)
    levels = {"loss": "hinge", "lr": 3e-3}
    given = {name: spec.values_at({**levels, "variant": name}) for name in spec.variants}
    assert given == {
        "baseline": {"n_dis": 2, "width": 32, "loss": "hinge", "lr": 3e-3},
        "slow": {"n_dis": 1, "width": 32, "loss": "hinge", "lr": 1e-5},
        "unclipped": {
            **{"n_dis": 2, "width": 32, "loss": "hinge", "lr": 3e-3},
            **{"weight_clip": None, "latent": "uniform"},
        },
    }


def test_configurations_of_a_list_are_named_by_their_places() -> None:
    spec = parse_study(LISTED)
    assert list(spec.configs) == ["config-1", "config-2", "config-3"]
    assert (spec.design.sampler, spec.design.points, spec.crossed) == ("given", 3, ())
    assert spec.values_at({"configuration": "config-2"}) == {"loss": "wgan-gp", "width": 8}
    assert spec.values_at({"configuration": "config-3"}) == {"width": 32}


def test_configurations_take_variants_and_no_space() -> None:
    spec = parse_study(NAMED + "space: {}\nvariants: {a: {}, b: {loss: minimax}}\n")
    assert list(spec.factors) == ["configuration", "variant"]
    assert spec.crossed == ("variant",)
    assert spec.values_at({"configuration": "b-2", "variant": "b"})["loss"] == "minimax"


def test_the_code_that_a_variant_names_is_asked_about() -> None:
    with pytest.raises(Exception, match=r"study.yaml:4: variants.own.architecture: nets:pair is code"):
        parse_study("name: s\nvariants:\n  a: {}\n  own: {architecture: 'nets:pair'}", allow_code=False)

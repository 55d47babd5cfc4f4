"""The list of runs: names, seeds, configurations."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from stability.design import draw_points, plan_runs
from stability.design.seeds import Purpose, run_seed, sampler_seed
from stability.spec import Run, StudySpec, make_config, parse_study

TEXT = """
name: s
space:
  architecture: [mlp, dcgan]
  loss: [hinge, wgan-gp]
  weight_clip: [~, 1e-5]
  lr: {low: 1e-4, high: 1e-2, log: true}
fixed: {batch_size: 32}
design: {points: 3, seeds: 2, cross: [architecture, loss, weight_clip], seed: 5}
"""


def planned(text: str = TEXT) -> tuple[StudySpec, list[Run]]:
    spec = parse_study(text)
    return spec, plan_runs(spec, draw_points(spec))


def test_every_point_at_every_level_with_every_seed() -> None:
    _, runs = planned()
    assert len(runs) == 3 * 2 * 2 * 2 * 2
    assert len({run.run for run in runs}) == len(runs)
    assert len({run.trial for run in runs}) == len(runs) / 2
    assert [run.run for run in runs[:5]] == [
        "p000-mlp-hinge-none-s0",
        "p000-mlp-hinge-none-s1",
        "p000-mlp-hinge-1e-05-s0",
        "p000-mlp-hinge-1e-05-s1",
        "p000-mlp-wgan-gp-none-s0",
    ]
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9.-]*", run.run) for run in runs)


def test_seeds_are_equal_across_levels_and_differ_otherwise() -> None:
    _, runs = planned()
    by_replicate: dict[tuple[int, int], set[int]] = {}
    for run in runs:
        by_replicate.setdefault((run.point, run.replicate), set()).add(run.seed)
    assert all(len(seeds) == 1 for seeds in by_replicate.values())
    assert len(set.union(*by_replicate.values())) == len(by_replicate) == 6


def test_seeds_do_not_depend_on_the_space_or_on_the_number_of_points() -> None:
    _, runs = planned()
    _, others = planned("name: t\ndesign: {points: 9, seeds: 5, seed: 5}")
    known = {(run.point, run.replicate): run.seed for run in others}
    assert all(known[run.point, run.replicate] == run.seed for run in runs)


def test_configurations_merge_fixed_point_and_level() -> None:
    spec, runs = planned()
    points = draw_points(spec)
    for run in runs:
        assert run.config.batch_size == 32
        assert run.config.lr == points[run.point]["lr"] == run.levels["lr"]
        assert set(run.levels) == set(spec.space)
        assert run.config == make_config({**spec.fixed, **run.levels})
    recipes = {run.levels["loss"]: (run.config.loss, run.config.recipe) for run in runs}
    assert recipes == {"hinge": ("hinge", None), "wgan-gp": ("wasserstein", "wgan-gp")}


WITH_VARIANTS = f"""{TEXT}
variants:
  baseline: {{}}
  fixed-lr: {{lr: 0.5}}
"""


def test_variants_share_points_and_seeds_with_the_study_without_them() -> None:
    _, plain = planned()
    spec, runs = planned(WITH_VARIANTS)
    assert draw_points(spec) == draw_points(parse_study(TEXT))
    for variant, lr in (("baseline", None), ("fixed-lr", 0.5)):
        own = [run for run in runs if run.levels["variant"] == variant]
        assert [(run.point, run.replicate, run.seed) for run in own] == [
            (run.point, run.replicate, run.seed) for run in plain
        ]
        assert [run.run for run in own] == [
            run.run.removesuffix(f"-s{run.replicate}") + f"-{variant}-s{run.replicate}" for run in plain
        ]
        assert [run.config for run in own] == [
            run.config if lr is None else run.config.model_copy(update={"lr": lr}) for run in plain
        ]
        assert [run.levels for run in own] == [run.levels | {"variant": variant} for run in plain]


def test_each_configuration_is_a_point_named_after_it() -> None:
    spec, runs = planned(
        "name: s\nconfigs: {Plain: {}, wgan: {loss: wgan-gp}}\nvariants: {a: {}, b: {lr: 1}}"
    )
    assert draw_points(spec) == [{"configuration": "Plain"}, {"configuration": "wgan"}]
    assert [run.run for run in runs] == [
        "p000-plain-a-s0",
        "p000-plain-b-s0",
        "p001-wgan-a-s0",
        "p001-wgan-b-s0",
    ]
    assert [run.config for run in runs] == [
        make_config({}),
        make_config({"lr": 1.0}),
        make_config({"loss": "wgan-gp"}),
        make_config({"loss": "wgan-gp", "lr": 1.0}),
    ]


def test_later_rounds_of_a_search_go_on_counting() -> None:
    spec = parse_study("name: s\nspace: {lr: [1e-3, 1e-4]}\ndesign: {sampler: tpe, seeds: 2}")
    runs = plan_runs(spec, [{"lr": 1e-3}, {"lr": 1e-4}], first_point=8, adaptive=True)
    assert [run.run for run in runs] == ["p008-s0", "p008-s1", "p009-s0", "p009-s1"]
    assert all(run.adaptive for run in runs)
    assert not any(run.adaptive for run in planned()[1])


def test_the_same_study_gives_the_same_plan() -> None:
    assert planned() == planned()


@settings(max_examples=50)
@given(
    st.tuples(*[st.integers(0, 2**32 - 1), st.integers(0, 10**6), st.integers(0, 1000)]),
    st.tuples(*[st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)]),
)
def test_seeds_are_63_bits_and_follow_from_all_three_numbers(
    wide: tuple[int, int, int], narrow: tuple[int, int, int]
) -> None:
    assert 0 <= run_seed(*wide) < 2**63
    assert (run_seed(*wide) == run_seed(*narrow)) == (wide == narrow)


def test_seeds_of_different_purposes_differ() -> None:
    seeds = [sampler_seed(0, purpose, position) for purpose in Purpose for position in (0, 8, 16)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**32 for seed in seeds)

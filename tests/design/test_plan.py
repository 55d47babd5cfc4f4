from __future__ import annotations

import dataclasses

import pytest
from small_studies import small_spec

from stability.design.plan import (
    COHORT_SIZES,
    DEFAULT_COHORT_SIZE,
    cohort_runs,
    extended,
    make_plan,
    with_split,
)
from stability.spec import StudySpec
from stability.store import Plan
from stability.vocabulary.structure import structure_key

MIXED = (
    "space.architecture=[mlp, dcgan]",
    "space.batchnorm=[none, generator]",
    "space.loss=[hinge, wgan-gp, wgan-clip]",
    "design.points=16",
)


def cpu_plan(spec: StudySpec) -> Plan:
    return make_plan(spec, device="cpu", threads=1)


def test_every_run_is_in_one_cohort_of_its_structure() -> None:
    plan = cpu_plan(small_spec(*MIXED))
    assert sorted(run.run for run in plan.runs) == sorted(name for c in plan.cohorts for name in c.runs)
    assert len(plan.runs) == 16 * 3 * 2
    structures = [{structure_key(run.config) for run in cohort_runs(plan, c)} for c in plan.cohorts]
    assert all(len(keys) == 1 for keys in structures)
    assert len({next(iter(keys)) for keys in structures}) > 4


def test_a_structure_fills_its_cohorts_before_it_begins_another() -> None:
    plan = cpu_plan(small_spec(*MIXED))
    sizes: dict[object, list[int]] = {}
    for cohort in plan.cohorts:
        config = cohort_runs(plan, cohort)[0].config
        sizes.setdefault(structure_key(config), []).append(len(cohort.runs))
        assert len(cohort.runs) <= COHORT_SIZES.get(("cpu", config.architecture), DEFAULT_COHORT_SIZE)
    for counts in sizes.values():
        assert len(set(counts[:-1])) <= 1
        assert counts[-1] <= counts[0]


@pytest.mark.parametrize(
    ("device", "architecture", "size"),
    [("cpu", "mlp", 8), ("cpu", "dcgan", 4), ("cuda:1", "mlp", 32), ("cuda", "dcgan", 16), ("mps", "mlp", 8)],
)
def test_cohort_sizes_follow_from_device_and_architecture(device: str, architecture: str, size: int) -> None:
    spec = small_spec(f"fixed.architecture={architecture}", "design.points=16")
    plan = make_plan(spec, device=device, threads=1)
    assert {len(cohort.runs) for cohort in plan.cohorts} == {size}
    five = make_plan(
        spec.model_copy(update={"training": spec.training.model_copy(update={"cohort_size": 5})}),
        device=device,
        threads=1,
    )
    assert [len(cohort.runs) for cohort in five.cohorts] == [5] * 19 + [1]


@pytest.mark.parametrize(
    ("batch", "packing", "size"), [(256, 1, 32), (512, 1, 16), (256, 4, 8), (4096, 1, 2), (4096, 8, 2)]
)
def test_cohorts_of_large_batches_are_smaller(batch: int, packing: int, size: int) -> None:
    spec = small_spec("design.points=16", f"fixed.batch_size={batch}", f"fixed.packing={packing}")
    plan = make_plan(spec, device="cuda", threads=1)
    assert max(len(cohort.runs) for cohort in plan.cohorts) == size


def test_a_plan_is_a_function_of_the_study() -> None:
    assert cpu_plan(small_spec(*MIXED)) == cpu_plan(small_spec(*MIXED))
    assert cpu_plan(small_spec(*MIXED)).to_json() == cpu_plan(small_spec(*MIXED)).to_json()
    longer = cpu_plan(small_spec(*MIXED, "design.points=32"))
    assert longer.runs[: 16 * 3 * 2] == cpu_plan(small_spec(*MIXED)).runs


def test_a_search_is_planned_without_runs() -> None:
    plan = cpu_plan(small_spec("design.sampler=tpe"))
    assert (plan.runs, plan.cohorts, plan.horizon) == ((), (), 40)


def test_more_runs_leave_the_planned_cohorts_as_they_are() -> None:
    spec = small_spec()
    plan = cpu_plan(spec)
    more = [dataclasses.replace(run, run=f"more-{run.run}") for run in plan.runs[:3]]
    longer = extended(plan, spec, more)
    assert longer.cohorts[: len(plan.cohorts)] == plan.cohorts
    assert longer.runs == (*plan.runs, *more)
    assert [cohort.runs for cohort in longer.cohorts[len(plan.cohorts) :]] == [tuple(run.run for run in more)]
    assert [cohort.id for cohort in longer.cohorts] == ["c0000", "c0001", "c0002"]


def test_a_split_cohort_is_two_in_its_place_that_share_its_runs() -> None:
    plan = cpu_plan(small_spec("design.points=3"))  # eighteen runs in cohorts of eight, eight and two
    longer, halves = with_split(plan, plan.cohorts[0])
    assert [cohort.id for cohort in longer.cohorts] == ["c0003", "c0004", "c0001", "c0002"]
    assert longer.cohorts[:2] == tuple(halves)
    assert halves[0].runs + halves[1].runs == plan.cohorts[0].runs
    assert longer.runs == plan.runs
    again, quarters = with_split(longer, halves[1])
    assert [cohort.id for cohort in again.cohorts] == ["c0003", "c0005", "c0006", "c0001", "c0002"]
    odd, (larger, smaller) = with_split(again, dataclasses.replace(quarters[0]))
    assert (len(larger.runs), len(smaller.runs)) == (1, 1)
    three = dataclasses.replace(plan.cohorts[1], runs=plan.cohorts[1].runs[:3])
    shorter = dataclasses.replace(plan, cohorts=(three,))
    assert [len(half.runs) for half in with_split(shorter, three)[1]] == [2, 1]
    assert len(odd.cohorts) == 6

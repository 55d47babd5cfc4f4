from __future__ import annotations

import dataclasses
import json

import pytest
from made_study import made_plan

from stability.errors import StabilityError
from stability.spec import Thresholds
from stability.store import FORMAT_VERSION, Plan, PlannedCohort


def test_a_plan_reads_back_equal_to_the_last_bit() -> None:
    plan = made_plan()
    assert Plan.from_json(plan.to_json()) == plan
    assert Plan.from_json(plan.to_json()).runs[0].config.lr == 1e-4 / 3


def test_the_thresholds_of_stopping_are_part_of_a_plan() -> None:
    plan = dataclasses.replace(made_plan(), stop_thresholds=Thresholds(persist=7, lost_precision=1 / 7))
    read = Plan.from_json(plan.to_json())
    assert read == plan != made_plan()
    assert read.stop_thresholds == Thresholds(persist=7, lost_precision=1 / 7)


def test_an_empty_plan_is_json_too() -> None:
    plan = dataclasses.replace(made_plan(), runs=(), cohorts=())
    assert Plan.from_json(plan.to_json()) == plan


def test_a_plan_has_a_line_for_each_run() -> None:
    lines = made_plan().to_json().splitlines()
    assert sum('"run": "p0-hinge-s1"' in line for line in lines) == 1
    assert len(lines) < 12 + 2 + 15


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": FORMAT_VERSION + 1}, f"version: {FORMAT_VERSION + 1}"),
        ({"threads": "many"}, "threads"),
        ({"runs": [{"run": "a"}]}, "runs.0"),
        ({"stop_thresholds": {"persits": 3}}, "stop_thresholds.persits"),
        ({"cohorts": [{"id": "../up", "runs": []}]}, "'../up'"),
        ({"cohorts": [{"id": "c", "runs": ["stranger"]}]}, "'stranger'"),
    ],
)
def test_a_wrong_plan_is_told_in_one_line(change: dict[str, object], message: str) -> None:
    fields = json.loads(made_plan().to_json()) | change
    with pytest.raises(StabilityError) as caught:
        Plan.from_json(json.dumps(fields), source="r/plan.json")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", b"\xff\xfe", "[" * 100_000, '{"version": "x"}'])
def test_what_is_no_plan_is_told(text: str | bytes) -> None:
    with pytest.raises(StabilityError, match="damaged"):
        Plan.from_json(text)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-rf", ".hidden", "a\0", "a\nb", "a" * 201, "<b>"])
def test_a_name_that_could_leave_the_folder_is_refused(name: str) -> None:
    with pytest.raises(StabilityError, match="name"):
        dataclasses.replace(made_plan(), cohorts=(PlannedCohort(name, ()),))


def test_a_run_belongs_to_one_cohort() -> None:
    run = made_plan().runs[0].run
    with pytest.raises(StabilityError, match="twice"):
        dataclasses.replace(made_plan(), cohorts=(PlannedCohort("a", (run,)), PlannedCohort("b", (run,))))

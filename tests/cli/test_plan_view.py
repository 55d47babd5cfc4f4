from __future__ import annotations

import json
from typing import Any

import pytest
from rich.filesize import decimal
from small_studies import small_spec

from stability.cli import plan_view
from stability.cli.plan_view import as_text, summarise
from stability.questions.power.estimate import Sizes, outlook
from stability.runner.engines.options import Cluster, SlurmOptions
from stability.runner.materials import Resources
from stability.spec import Thresholds


def summary(*overrides: str, timing: bool = False) -> dict[str, Any]:
    return summarise(small_spec(*overrides), Resources("cpu"), timing=timing)


def test_the_plan_in_plain_values() -> None:
    found = summary()
    assert (found["runs"], found["cohorts"], found["horizon"], found["visits"]) == (12, 2, 40, 2)
    assert found["sampled"] == {"beta1": "0 to 0.9", "lr": "0.0001 to 0.01, log"}
    assert found["crossed"] == {"loss": "minimax, non-saturating, wasserstein"}
    assert found["thresholds"] == Thresholds().model_dump(mode="json")
    assert found["dataset"] == "mnist, 400 training images"
    assert found["metrics"] == "features of mnist_cnn"
    assert "estimated_seconds" not in found
    assert json.loads(json.dumps(found)) == found


def test_the_examples_may_be_points() -> None:
    found = summary("dataset=ring")
    assert found["dataset"] == "ring, 100,000 training points"
    assert found["metrics"] == "features of points"


def test_every_threshold_is_printed() -> None:
    lines = as_text(summary("outcomes.persist=7")).splitlines()
    shown = dict(line.split(maxsplit=1) for line in lines if line.startswith("  "))
    assert shown["persist"] == "7"
    assert shown.pop("measures") == "fid, precision, modes, diversity"
    numbers = Thresholds(persist=7).model_dump(exclude={"measures"})
    assert {name: float(shown[name]) for name in numbers} == numbers


def test_the_estimate_adds_up() -> None:
    found = summary("design.points=1", timing=True)
    seconds = found["estimated_seconds"]
    assert seconds["total"] == pytest.approx(seconds["training"] + seconds["evaluation"], abs=0.11)
    last = as_text(found).splitlines()[-1]
    assert last.startswith("about ")
    assert "training" in last
    assert "evaluation" in last


def test_a_cluster_s_jobs_are_counted_and_timed() -> None:
    options = SlurmOptions(cohorts_per_job=2, array=2, time=1, grace=30, cpus=3)
    spec = small_spec("training.cohort_size=2", "training.steps=4000000")
    found = summarise(spec, Resources(), timing=True, cluster=Cluster(options))
    jobs = found["jobs"]
    assert (jobs["jobs"], jobs["at_once"], jobs["limit"]) == (3, 2, 60)
    assert jobs["seconds"] == pytest.approx(found["estimated_seconds"]["total"] / 3, rel=1e-3)
    assert jobs["in_all"] == 2 * jobs["seconds"]
    assert found["device"] == "cpu"
    assert found["threads"] == 3
    last = as_text(found).splitlines()[-1]
    assert last.startswith("3 jobs on slurm of about ")
    assert last.endswith(" when none waits; queued again every 1 min 00 s")


def test_what_kept_states_take_is_told() -> None:
    assert "kept_state_bytes" not in summary()
    found, twice = (summary("recording.keep_state=true", f"design.seeds={n}") for n in (1, 2))
    assert twice["kept_state_bytes"] == 2 * found["kept_state_bytes"] > 10_000
    assert f"  keep_state {decimal(found['kept_state_bytes'])} on disk, from which" in as_text(found)


def test_doubtful_combinations_are_counted() -> None:
    found = summary("space.loss=[wasserstein, hinge]")
    ((words, count),) = found["doubtful"].items()
    assert count == 4
    assert f"note: 4 runs: {words}" in as_text(found)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["design.points=3"], "3 points is not one"),
        (["design.sampler=tpe"], "no rate is estimated"),
        (["recording.every=50"], "recording.every is larger than evaluate_every"),
        ([], "fewer than persist = 3 visits"),
    ],
)
def test_advice(overrides: list[str], words: str) -> None:
    found = summary(*overrides)
    assert sum(words in advice for advice in found["advice"]) == 1
    assert any(line.startswith("note: ") and words in line for line in as_text(found).splitlines())


def test_a_study_beyond_reproach_is_told_of_its_horizon_alone() -> None:
    (note,) = summary("training.steps=60", "space.loss=[hinge]")["advice"]
    assert note.startswith("horizon 60, nothing may have succeeded yet: in the study losses ")


def test_a_search_has_no_runs_yet() -> None:
    found = summary("design.sampler=tpe", timing=True)
    assert found["runs"] == found["cohorts"] == "planned round by round"
    assert "estimated_seconds" not in found


def test_nothing_to_stop_on_is_said() -> None:
    assert "stop_on    nothing" in as_text(summary("training.stop_on=[]"))


def test_a_stop_for_a_saturation_or_a_collapse_is_told_with_its_false_stops() -> None:
    found = summary("training.stop_on=[diverged, collapsed]")
    (note,) = [advice for advice in found["advice"] if advice.startswith("stop_on collapsed: false stops")]
    assert f"note: {note}" in as_text(found)
    assert not any(advice.startswith("stop_on") for advice in summary()["advice"])


@pytest.mark.parametrize(
    ("processes", "threads", "words"),
    [(1, 2, "1 process with 2 threads"), (2, 1, "2 processes with 1 thread each")],
)
def test_the_plan_says_who_will_work(processes: int, threads: int, words: str) -> None:
    found = summary() | {"processes": processes, "threads": threads}
    assert f"  device     cpu, {words}\n" in as_text(found)


def test_the_plan_says_what_the_design_can_tell() -> None:
    found = summary("design.points=32", "design.seeds=2")
    can_tell = found["can_tell"]
    assert can_tell == outlook(Sizes(32, "point", 2, 1, "loss", 3))
    text = as_text(found)
    small = can_tell["told"][0]
    assert (
        f"  tells      0.3 from 0.2 in {small['power']:.0%} of such studies; 80% takes about "
        f"{small['points_needed']} points\n"
    ) in text
    assert "any of 3 pairs of loss, Holm; assumed: runs of a point correlate by 0.8" in text
    assert f"  one rate   0.2 +- {can_tell['half_width']['0.2']:.2f}, 0.5 +- " in text


def test_of_one_setting_the_seeds_tell() -> None:
    found = summary("design.points=1", "design.seeds=40")
    assert found["can_tell"]["unit"] == "seed"
    text = as_text(found)
    assert "assumed: seeds are independent" in text
    assert "(95% interval, over seeds, not settings)" in text


def test_a_difference_may_be_out_of_reach() -> None:
    found = summary()
    found["can_tell"]["told"][0]["points_needed"] = None
    assert "of such studies; more points than can be trained for 80%" in as_text(found)


def test_without_levels_only_the_width_of_a_rate_is_told() -> None:
    text = as_text(summary("space.loss=[hinge]"))
    assert "  one rate " in text
    assert "  tells " not in text


def test_a_search_tells_no_rates() -> None:
    found = summary("design.sampler=tpe")
    assert "can_tell" not in found
    assert "one rate" not in as_text(found)


def test_a_horizon_of_which_something_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_view, "horizon_notes", lambda spec: [f"horizon {spec.training.steps}: known"])
    assert "note: horizon 40: known" in as_text(summary())


def test_variants_and_configurations_are_told_with_what_they_set() -> None:
    lines = as_text(summary("variants={plain: {}, slow: {lr: 1.0e-5, weight_clip: null}}")).splitlines()
    assert "  crossed    variant: plain, slow" in lines
    assert "  variants   plain: nothing" in lines
    assert "  variants   slow: lr 1e-05, weight_clip none" in lines
    found = summary("space={}", "design={seeds: 2}", "configs=[{loss: hinge}, {}]")
    assert (found["sampler"], found["points"], found["runs"], found["sampled"]) == ("given", 2, 4, {})
    assert "  configs    config-1: loss hinge" in as_text(found).splitlines()

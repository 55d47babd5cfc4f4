from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_studies import CPU, result_bytes, run_small, small_materials, small_spec

from stability.analysis.frames import load
from stability.gan.cohort import Placement
from stability.runner import calibration
from stability.runner.calibration import estimate_time
from stability.runner.planning import make_plan
from stability.spec import StudySpec
from stability.store import Plan


def plan_of(spec: StudySpec) -> Plan:
    return make_plan(spec, device="cpu", threads=torch.get_num_threads())


def test_every_kind_of_cohort_is_timed_once() -> None:
    spec = small_spec(
        "space.batchnorm=[none, generator]", "design.cross=[batchnorm, loss]", "design.points=16"
    )
    plan = plan_of(spec)
    kinds = {
        (run.config.batchnorm, len(c.runs)) for c in plan.cohorts for run in plan.runs if run.run in c.runs
    }
    estimate = estimate_time(plan, spec, small_materials().evaluator(spec), Placement(CPU))
    assert estimate.kinds == len(kinds) == 2
    assert len(plan.cohorts) == 24
    assert estimate.training > 0
    assert estimate.evaluation > 0
    assert estimate.total == estimate.training + estimate.evaluation


def test_the_estimate_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cohorts of two sizes, 40 steps and 2 visits each, at 3 s a step and 5 s a visit."""
    monkeypatch.setattr(calibration, "_time_kind", lambda *_: (3.0, 5.0))
    spec = small_spec()
    estimate = estimate_time(plan_of(spec), spec, small_materials().evaluator(spec), Placement(CPU))
    assert (estimate.training, estimate.evaluation) == (2 * 40 * 3, 2 * 2 * 5)


def test_the_estimate_is_of_the_right_size(tmp_path: Path) -> None:
    """Within a factor of ten, which a busy machine does not spoil."""
    spec = small_spec("training.steps=400", "recording.evaluate_every=200", "design.points=1")
    evaluator = small_materials().evaluator(spec)
    estimate = estimate_time(plan_of(spec), spec, evaluator, Placement(CPU))
    run_small(spec, tmp_path / "r")
    seconds = load(tmp_path / "r").runs["seconds"].sum()
    assert seconds / 10 < estimate.total < seconds * 10


def test_calibration_changes_neither_plan_nor_records(finished: Path, tmp_path: Path) -> None:
    spec = small_spec()
    plan = plan_of(spec)
    before, state = plan.to_json(), torch.random.get_rng_state()
    estimate_time(plan, spec, small_materials().evaluator(spec), Placement(CPU))
    assert plan.to_json() == before == plan_of(spec).to_json()
    assert torch.equal(torch.random.get_rng_state(), state)
    run_small(spec, tmp_path / "r")
    assert result_bytes(tmp_path / "r") == result_bytes(finished)


def test_a_slow_cohort_is_timed_over_fewer_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock by which every call to train takes ten seconds: a warm-up, and one step that is timed."""
    spec = small_spec()
    trained: list[int] = []
    monkeypatch.setattr(calibration, "_train_to", lambda cohort, step: trained.append(step))
    monkeypatch.setattr(calibration.time, "perf_counter", lambda: 10.0 * len(trained))
    estimate = estimate_time(plan_of(spec), spec, small_materials().evaluator(spec), Placement(CPU))
    assert trained == [2, 3] * 2
    assert (estimate.training, estimate.evaluation) == (2 * 40 * 10.0, 0.0)

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from small_studies import CPU, count_seconds, result_bytes, run_small, small_evaluator, small_spec

from stability.design.plan import make_plan
from stability.gan.metrics.evaluation import Evaluator
from stability.gan.training.cohort import Cohort
from stability.gan.training.placement import Placement
from stability.reading.frames import load
from stability.records import Evaluation
from stability.runner import calibration
from stability.runner.calibration import estimate_time
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
    estimate = estimate_time(plan, spec, small_evaluator(spec), Placement(CPU))
    assert estimate.kinds == len(kinds) == 2
    assert len(plan.cohorts) == 24
    assert estimate.training > 0
    assert estimate.evaluation > 0
    assert estimate.total == estimate.training + estimate.evaluation


def test_the_estimate_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cohorts of two sizes, 40 steps and 2 visits each, at 3 s a step and 5 s a visit."""
    monkeypatch.setattr(calibration, "_time_kind", lambda *_: (3.0, 5.0))
    spec = small_spec()
    estimate = estimate_time(plan_of(spec), spec, small_evaluator(spec), Placement(CPU))
    assert (estimate.training, estimate.evaluation) == (2 * 40 * 3, 2 * 2 * 5)


def test_the_estimate_is_what_the_runs_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock on which only steps and evaluations take time, and always the same."""
    spec = small_spec()
    evaluator = small_evaluator(spec)
    count_seconds(monkeypatch, visit=7)
    estimate = estimate_time(plan_of(spec), spec, evaluator, Placement(CPU))
    run_small(spec, tmp_path / "r")
    assert load(tmp_path / "r").runs["seconds"].sum() == pytest.approx(12 * (40 + 2 * 7))
    assert estimate.total == pytest.approx(12 * (40 + 2 * 7))


def test_calibration_changes_neither_plan_nor_records(finished: Path, tmp_path: Path) -> None:
    spec = small_spec()
    plan = plan_of(spec)
    before, state = plan.to_json(), torch.random.get_rng_state()
    estimate_time(plan, spec, small_evaluator(spec), Placement(CPU))
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
    estimate = estimate_time(plan_of(spec), spec, small_evaluator(spec), Placement(CPU))
    assert trained == [2, 3] * 2
    assert (estimate.training, estimate.evaluation) == (2 * 40 * 10.0, 0.0)


def test_what_the_runs_of_a_cohort_share_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that only moves by drawing samples (7 s) and by evaluating one run (1 s)."""
    now = [0.0]
    spec = small_spec("design.points=1", "design.seeds=1")
    evaluator = small_evaluator(spec)
    samples, evaluate = Cohort.samples, Evaluator.evaluate

    def slow_samples(self: Cohort, n: int) -> torch.Tensor:
        now[0] += 7
        return samples(self, n)

    def slow_evaluate(self: Evaluator, *arguments: Any, **named: Any) -> Evaluation:
        now[0] += 1
        return evaluate(self, *arguments, **named)

    monkeypatch.setattr(Cohort, "samples", slow_samples)
    monkeypatch.setattr(Evaluator, "evaluate", slow_evaluate)
    monkeypatch.setattr(calibration.time, "perf_counter", lambda: now[0])
    estimate = estimate_time(plan_of(spec), spec, evaluator, Placement(CPU))
    assert (estimate.training, estimate.evaluation) == (0, 2 * (7 + 3 * 1))


@pytest.mark.parametrize(
    ("seconds", "workers", "until"),
    [([3.0, 3, 3], 1, 9), ([3.0, 3, 3], 2, 6), ([3.0, 3, 3], 4, 3), ([5.0, 1, 1, 1], 2, 5), ([], 2, 0)],
)
def test_a_free_worker_takes_the_next_cohort(seconds: list[float], workers: int, until: float) -> None:
    assert calibration._until_the_last_is_done(seconds, workers) == until


def test_two_workers_halve_the_estimate_of_equal_cohorts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "_time_kind", lambda *_: (0.1, 2.0))
    spec = small_spec("design.points=4", "design.seeds=4")
    plan, evaluator = plan_of(spec), small_evaluator(spec)
    assert len(plan.cohorts) == 6
    one, two, four = (estimate_time(plan, spec, evaluator, Placement(CPU), n) for n in (1, 2, 4))
    assert (one.training, one.evaluation) == pytest.approx((6 * 40 * 0.1, 6 * 2 * 2.0))
    assert two.total == pytest.approx(one.total / 2)
    assert four.total == pytest.approx(one.total / 3)

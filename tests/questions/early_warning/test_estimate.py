from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from stability.questions.early_warning.estimate import (
    MOST_RUNS,
    QUANTITIES,
    TABLES,
    TOO_FEW_WELL,
    EarlyWarning,
    compute_saved,
    early_warning,
    stops,
)
from stability.questions.early_warning.landmarks import (
    ALL_DIAGNOSTICS,
    BOTH,
    DIAGNOSTICS,
    HYPERPARAMETERS,
    Landmark,
)
from stability.spec import Choice, Range, StudySpec, Training
from stability.statistics import out_of_fold
from stability.statistics.rates import ADAPTIVE, NO_RUNS, ONE_POINT
from stability.vocabulary.metrics import RECORDED

VISITS = (100, 200, 300)
SPEC = StudySpec(
    name="s",
    space={"loss": Choice(values=("a", "b")), "lr": Range(low=1e-4, high=1e-2, log=True)},
    fixed={},
    training=Training(steps=300),
)
Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]


def made(points: int = 60, seeds: int = 2, shift: float = 4.0, **columns: Any) -> Frames:
    """A third of the runs fail; grad_norm_g tells, by `shift` decades, from step 200 on."""
    generator = np.random.default_rng(points)
    n = points * seeds
    failed = generator.random(n) < 1 / 3
    runs = pd.DataFrame(
        {
            "run": [f"r{i}" for i in range(n)],
            "point": np.repeat(np.arange(points), seeds),
            "adaptive": False,
            "outcome": np.where(failed, "collapsed", "stable"),
            "step": 300,
            "divergence_step": pd.array([None] * n, dtype="Int64"),
            "n_dis": 1,
            "n_gen": 1,
            "loss": np.where(np.arange(n) % 2, "a", "b"),
            "lr": np.repeat(generator.uniform(1e-4, 1e-2, size=points), seeds),
        }
    ).assign(**columns)
    rows = pd.concat([pd.DataFrame({"run": runs["run"], "step": step, "failed": failed}) for step in VISITS])
    noise = {name: generator.random(len(rows)) for name in (*RECORDED, *DIAGNOSTICS[-6:])}
    told = 10 ** (generator.normal(size=len(rows)) + shift * rows["failed"] * (rows["step"] >= 200))
    records = rows.assign(**noise).assign(grad_norm_g=told)
    visits = rows.assign(**noise, modes=5, n_modes=10)
    return (
        runs,
        records,
        visits,
        pd.DataFrame({"run": [], "kind": [], "onset": [], "never_good": []}, dtype=object),
    )


def warned(frames: Frames, seed: int = 0) -> EarlyWarning:
    return early_warning(*frames, spec=SPEC, rng=np.random.default_rng(seed))


def test_a_diagnostic_that_tells_is_found_when_it_tells() -> None:
    result = warned(made())
    auc = result.auc.set_index(["step", "predictor"])
    assert result.landmarks["step"].tolist() == [100, 200]
    assert auc.loc[(200, "grad_norm_g"), "ci_low"] > 0.9
    assert auc.loc[(200, BOTH), "ci_low"] > 0.8
    assert auc.loc[(100, "grad_norm_g"), "ci_low"] < 0.6
    assert auc.loc[(200, HYPERPARAMETERS), "ci_low"] < 0.5 < auc.loc[(200, HYPERPARAMETERS), "ci_high"]
    gain = result.gain.set_index("step")
    assert gain.loc[200, "ci_low"] > 0.2
    assert gain.loc[200, "estimate"] == pytest.approx(
        auc.loc[(200, BOTH), "estimate"] - auc.loc[(200, HYPERPARAMETERS), "estimate"]
    )
    assert set(result.auc["predictor"]) == {*DIAGNOSTICS, ALL_DIAGNOSTICS, HYPERPARAMETERS, BOTH}


def test_an_early_stop_saves_the_steps_after_it_in_the_runs_it_catches() -> None:
    frames = made()
    rule = warned(frames).rule.set_index(["step", "quantity"])
    caught, wrong = rule.loc[(200, "caught")], rule.loc[(200, "false_stops")]
    n_failed, n_well = (frames[0]["outcome"] == "collapsed").sum(), (frames[0]["outcome"] == "stable").sum()
    assert (caught["n_runs"], wrong["n_runs"]) == (n_failed, n_well)
    assert caught["estimate"] > 0.8
    assert wrong["estimate"] <= 0.08
    stopped = caught["estimate"] * n_failed + wrong["estimate"] * n_well
    saved = rule.loc[(200, "compute_saved")]
    assert saved["estimate"] == pytest.approx(stopped * 100 / (300 * 120))
    assert 0 < saved["ci_low"] < saved["estimate"] < saved["ci_high"]


def spent(*steps: int) -> pd.DataFrame:
    """One run at each point."""
    return pd.DataFrame({"point": range(len(steps)), "n_dis": 1, "n_gen": 1, "step": steps})


def test_the_interval_of_what_is_saved_is_that_of_a_share_where_all_runs_are_alike() -> None:
    used = spent(*[200] * 40)
    stopped = pd.Series(np.arange(40) < 8)
    row = compute_saved(used, stopped, 100).iloc[0]
    assert row.estimate == pytest.approx(0.1)
    error = 0.5 * np.sqrt(0.2 * 0.8 / 39)  # half of the updates of a fifth of the runs
    half = t.ppf(0.975, 39) * error / (0.1 * 0.9)
    assert row.ci_low == pytest.approx(1 / (1 + 9 * np.exp(half)))
    assert row.ci_high == pytest.approx(1 / (1 + 9 * np.exp(-half)))
    assert (row.n_points, row.n_runs, row.reason) == (40, 40, "")


def test_what_is_saved_has_no_interval_where_points_say_nothing_of_each_other() -> None:
    everyone = pd.Series([True, True, True])
    for used, stopped, estimate, reason in (
        (spent(200, 200, 200), ~everyone, 0.0, "no run would be stopped"),
        (spent(200), everyone[:1], 0.5, ONE_POINT),
        (spent(200, 200, 200), everyone, 0.5, "the same at every point"),
        (spent(0, 0), ~everyone[:2], np.nan, "no run made an update"),
    ):
        row = compute_saved(used, stopped, 100).iloc[0]
        assert row.estimate == pytest.approx(estimate, nan_ok=True)
        assert np.isnan([row.ci_low, row.ci_high]).all()
        assert reason in row.reason


def test_discriminator_updates_count_as_compute() -> None:
    runs, *rest = made()
    costly = runs.assign(n_dis=np.where(runs["outcome"] == "collapsed", 9, 1))
    plain, dear = (
        warned((frame, *rest)).rule.set_index(["step", "quantity"])["estimate"].loc[(200, "compute_saved")]
        for frame in (runs, costly)
    )
    assert dear > 1.5 * plain


def test_runs_still_improving_are_counted_apart_and_yet_would_be_stopped() -> None:
    frames = made()
    failed = frames[0]["outcome"] == "collapsed"
    outcome = np.where(failed & (frames[0].index % 3 == 0), "learning", frames[0]["outcome"])
    result = warned((frames[0].assign(outcome=outcome), *frames[1:]))
    row = result.landmarks.iloc[1]
    assert row["n_learning"] == (outcome == "learning").sum() > 0
    assert row["n_failed"] + row["n_well"] + row["n_learning"] == row["n_runs"]
    stopped = result.rule.set_index(["step", "quantity"]).loc[(200, "learning_stops")]
    assert stopped["estimate"] > 0.7
    assert stopped["n_runs"] == row["n_learning"]


def test_too_few_points_of_a_kind_give_a_reason() -> None:
    for frames in (made(outcome="stable"), made(outcome="collapsed"), made(points=8), made(points=1)):
        result = warned(frames)
        for table in (result.auc, result.gain, result.rule):
            assert table["estimate"].isna().all()
            assert table["reason"].str.startswith("not estimable").all()
        assert set(result.rule["quantity"]) == set(QUANTITIES)


def test_no_runs_no_visits_and_adaptive_runs_give_a_reason() -> None:
    frames = made()
    nothing = warned((frames[0].head(0), *(frame.head(0) for frame in frames[1:])))
    assert nothing.reason == NO_RUNS
    assert list(nothing.auc.columns) == list(TABLES["auc"])
    assert warned(made(adaptive=True)).reason == ADAPTIVE
    assert "no visit" in warned((*frames[:2], frames[2].head(0), frames[3])).reason


def test_values_that_are_missing_or_infinite_are_no_trouble() -> None:
    runs, records, visits, events = made()
    odd = records.assign(separation=np.nan, loss_g=np.inf, signal=0.0, fake_grad_norm=None)
    auc = warned((runs, odd, visits.assign(fid_ratio=np.nan), events)).auc.set_index(["step", "predictor"])
    for name in ("separation", "loss_g", "signal", "fid_ratio", "fake_grad_norm"):
        assert auc.loc[(200, name), "reason"] == "not estimable: it has no finite value"
    assert auc.loc[(200, BOTH), "ci_low"] > 0.8


def test_the_same_seed_gives_the_same_numbers_and_large_studies_are_sampled() -> None:
    frames = made(points=700, seeds=4)
    first, second = warned(frames), warned(frames)
    pd.testing.assert_frame_equal(first.auc, second.auc)
    pd.testing.assert_frame_equal(first.rule, second.rule)
    assert (first.n_runs, first.n_available) == (MOST_RUNS, 2800)


def test_a_rule_needs_enough_runs_that_end_well() -> None:
    failed = np.arange(60) % 3 > 0  # 20 end well, too few of them on four of five folds
    features = {BOTH: np.where(failed, 1.0, 0.0)[:, None]}
    everyone = np.ones(60, dtype=bool)
    few = Landmark(0, pd.DataFrame(), np.arange(60), failed, everyone, np.arange(60) % 5, features)
    assert stops(few)[1] == TOO_FEW_WELL
    many = Landmark(0, pd.DataFrame(), np.arange(60), ~failed, everyone, np.arange(60) % 5, features)
    stopped, why = stops(many)
    assert why == ""
    assert stopped[~failed].all()
    assert not stopped[failed].any()


def test_a_fit_that_does_not_converge_is_told_and_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(out_of_fold, "MOST_ITERATIONS", 1)
    found = warned(made(points=40))
    of_fits = found.auc[found.auc["predictor"] == BOTH]
    assert set(of_fits["reason"]) == {out_of_fold.NO_FIT}
    assert of_fits["estimate"].isna().all()
    assert set(found.gain["reason"]) == set(found.rule["reason"]) == {out_of_fold.NO_FIT}

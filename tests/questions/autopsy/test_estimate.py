from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stability.questions.autopsy.controls import MOST_RUNS
from stability.questions.autopsy.estimate import (
    CASE,
    CHOSEN,
    CONTROL,
    FIRST,
    TYPICAL,
    Autopsies,
    autopsies,
    chosen_runs,
    lead,
)
from stability.records import EventKind
from stability.spec import Recording, StudySpec, Training
from stability.statistics.rates import ADAPTIVE, NO_RUNS
from stability.vocabulary.metrics import AROUND_ONSETS

EVERY, HORIZON, ONSET, WARNED = 100, 2000, 1500, 1200
SPEC = StudySpec(
    name="s",
    space={},
    fixed={},
    training=Training(steps=HORIZON),
    recording=Recording(every=10, evaluate_every=EVERY),
)


class Study:
    """Half of the runs collapse at `ONSET`; before it, at `WARNED`, the discriminator's update falls."""

    def __init__(self, n: int = 20, *, good_from: int = 200, **columns: Any) -> None:
        generator = np.random.default_rng(n)
        names = [f"r{i:04d}" for i in range(n)]
        self.collapses = {name: place % 2 == 0 for place, name in enumerate(names)}
        self.runs = pd.DataFrame(
            {
                "run": names,
                "point": np.arange(n) // 2,
                "adaptive": False,
                "step": HORIZON,
                "outcome": ["collapsed" if self.collapses[name] else "stable" for name in names],
            }
        ).assign(**columns)
        self.records = self._rows(names, 10).assign(
            separation=0.7,
            generator_update=lambda rows: np.exp(0.1 * generator.normal(size=len(rows))),
            discriminator_update=lambda rows: (
                np.exp(0.1 * generator.normal(size=len(rows)))
                * np.where(rows["hit"] & (rows["step"] >= WARNED), 1e-3, 1.0)
            ),
            grad_norm_g=1.0,
            grad_norm_d=1.0,
        )
        visits = self._rows(names, EVERY)
        lost = visits["hit"] & (visits["step"] >= ONSET)
        good = visits["step"] >= good_from
        self.evaluations = visits.assign(
            features="mnist_cnn",
            precision=np.where(good, 0.6, 0.0),
            modes=np.where(lost, 1, 9),
            n_modes=10,
            diversity=0.9,
            fid_ratio=np.where(lost, 80.0, 20.0),
        )
        rows = [
            {"run": name, "kind": "collapse", "onset": ONSET, "recovery": None}
            for name in names
            if self.collapses[name]
        ]
        self.events = pd.DataFrame(rows, columns=["run", "kind", "onset", "recovery"])
        self.events["recovery"] = self.events["recovery"].astype("Int64")
        self.asked: list[str] = []

    def _rows(self, names: list[str], every: int) -> pd.DataFrame:
        steps = np.arange(every, HORIZON + 1, every)
        rows = pd.DataFrame({"run": np.repeat(names, len(steps)), "step": np.tile(steps, len(names))})
        return rows.assign(hit=rows["run"].map(self.collapses).astype(bool))

    def records_of(self, names: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
        self.asked += names
        return self.records.loc[self.records["run"].isin(names), ["run", "step", *columns]]

    def open(self, kind: EventKind = EventKind.COLLAPSE) -> Autopsies:
        rng = np.random.default_rng(0)
        return autopsies(
            self.runs, self.events, self.evaluations, self.records_of, spec=SPEC, rng=rng, kind=kind
        )


def test_what_moves_before_the_onset_is_told_from_what_moves_with_it() -> None:
    first = Study().open().first.set_index(["quantity", "group"])
    warned = first.loc[("discriminator_update", CASE)]
    assert warned["estimate"] == 1.0
    assert warned["lead_median"] == pytest.approx(ONSET - WARNED, abs=25)  # the running median lags
    for name in ("generator_update", "separation", "modes_share", "fid_ratio"):
        assert first.loc[(name, CASE), "estimate"] == 0.0
    assert first.loc[("discriminator_update", CONTROL), "estimate"] <= 0.2
    assert first.loc[("discriminator_update", CASE), "n_runs"] == 10
    assert set(AROUND_ONSETS) == set(first.index.get_level_values(0))


def test_typical_curves_are_aligned_at_the_onset() -> None:
    typical = Study().open().typical.set_index(["group", "quantity", "visit"]).sort_index()
    case = typical.loc[(CASE, "modes_share")]
    assert case["median"].to_dict() == {visit: 0.1 if visit >= 0 else 0.9 for visit in range(-6, 6)}
    assert (case["offset"] == case.index * EVERY).all()
    assert (case["n_runs"] == 10).all()
    assert (case["n_points"] == 10).all()
    assert (typical.loc[(CONTROL, "modes_share"), "median"] == 0.9).all()
    update = typical.loc[(CASE, "discriminator_update"), "median"]
    assert update[-4] > 0.5
    assert update[-1] < 0.01
    assert (typical["q25"] <= typical["median"]).all()


def test_zero_and_infinite_values_are_kept() -> None:
    study = Study()
    study.records["grad_norm_d"] = np.where(
        study.records["hit"] & (study.records["step"] > 1000), 0.0, np.inf
    )
    study.records["separation"] = np.nan
    result = study.open()
    typical = result.typical.set_index(["group", "quantity", "visit"])["median"]
    assert typical[(CASE, "grad_norm_d", 0)] == 0.0
    assert typical[(CONTROL, "grad_norm_d", 0)] == np.inf
    row = result.first.set_index(["quantity", "group"]).loc[("separation", CASE)]
    assert row["reason"] == "not estimable: too few healthy values before the onset"


def test_runs_that_never_were_good_are_left_out_and_counted() -> None:
    result = Study(good_from=ONSET).open()
    assert result.n_never_good == 10
    assert result.n_cases == 0
    assert "after having been good" in result.reason
    assert Study(good_from=1400).open().n_never_good == 0
    assert result.first["estimate"].isna().all()
    assert list(result.chosen.columns) == list(CHOSEN)


def test_what_the_outcomes_do_not_call_good_is_not_good_here_either() -> None:
    study = Study()
    study.evaluations["diversity"] = SPEC.outcomes.lost_diversity - 0.01
    result = study.open()
    assert (result.n_never_good, result.n_cases, result.n_controls) == (10, 0, 0)


def test_the_controls_are_runs_that_come_to_no_harm() -> None:
    whole = Study().open()
    study = Study()
    failing, saturating = [name for name, hit in study.collapses.items() if not hit][:2]
    study.runs.loc[study.runs["run"] == failing, "outcome"] = "diverged"
    passing = {"run": saturating, "kind": "saturation", "onset": 1600, "recovery": 1700}
    study.events = pd.concat([study.events, pd.DataFrame([passing]).astype({"recovery": "Int64"})])
    result = study.open()
    assert (whole.n_controls, result.n_controls) == (10, 8)
    assert not {failing, saturating} & set(study.asked)


def test_without_controls_it_says_so() -> None:
    study = Study(outcome="collapsed")
    first = study.open().first.set_index(["quantity", "group"])
    assert first.loc[("separation", CONTROL), "reason"] == "not estimable: there is no such run"
    assert first.loc[("separation", CASE), "n_runs"] == 10


def test_nothing_to_open_gives_a_reason() -> None:
    study = Study()
    study.events = study.events.head(0)
    assert study.open().reason == "not estimable: no run had a collapse after having been good"
    assert Study().open(EventKind.SATURATION).reason == "not estimable: no run had a saturation"
    empty = Study()
    for name in ("runs", "records", "evaluations", "events"):
        setattr(empty, name, getattr(empty, name).head(0))
    result = empty.open()
    assert result.reason == NO_RUNS
    assert list(result.typical.columns) == list(TYPICAL)
    assert list(result.first.columns) == list(FIRST)


def test_adaptive_runs_are_shown_but_enter_no_estimate() -> None:
    result = Study(adaptive=True).open()
    assert result.reason == ADAPTIVE
    assert (result.n_cases, result.n_controls) == (0, 0)
    assert [why.split(":")[0] for why in result.chosen["why"]] == ["typical", "abrupt"]


def test_many_runs_are_sampled_and_only_theirs_records_are_read() -> None:
    study = Study(2 * MOST_RUNS + 40)
    result = study.open()
    assert (result.n_cases, result.n_available, result.n_controls) == (MOST_RUNS, MOST_RUNS + 20, MOST_RUNS)
    assert len(study.asked) == len(set(study.asked)) <= 2 * MOST_RUNS + 3
    assert set(result.records["run"]) == set(result.chosen["run"]) == set(result.evaluations["run"])


def test_the_chosen_are_the_typical_a_recovered_and_the_most_abrupt_one() -> None:
    onsets = [300, 200, 400, 300, 300]
    cases = pd.DataFrame(
        {
            "run": list("abcde"),
            "point": [0, 1, 2, 3, 0],
            "onset": onsets,
            "recovery": pd.array([None, None, None, 500, None], dtype="Int64"),
        }
    )
    before = {"a": 0.9, "b": 0.6, "c": 0.9, "d": 0.9, "e": 1.0}
    visits = pd.DataFrame(
        [
            {"run": run, "step": step, "modes_share": share}
            for run, onset in zip("abcde", onsets, strict=True)
            for step, share in ((onset - 100, before[run]), (onset, 0.1))
        ]
    )
    chosen = chosen_runs(cases, visits)
    assert chosen["run"].tolist() == ["a", "d", "c"]  # e lost more modes, but stands at the point of a
    assert [why.split(":")[0] for why in chosen["why"]] == ["typical", "recovered", "abrupt"]
    assert len(chosen_runs(cases.head(0), visits)) == 0


def test_a_lead_counts_only_what_left_for_good_and_in_time() -> None:
    steps = np.arange(0.0, 1000.0, 10)
    wobble = np.where(np.arange(100) % 2, 0.01, -0.01)
    left = wobble + (steps >= 700)
    assert lead(steps, left, 1000, 100, 0.1) == 300
    assert lead(steps, left * (steps < 900), 1000, 100, 0.1) == 0  # it came back
    assert lead(steps, wobble + (steps >= 950), 1000, 100, 0.1) == 0  # within the last visit
    assert lead(steps, wobble, 1000, 100, 0.1) == 0
    assert lead(steps, np.where(steps >= 700, np.inf, wobble), 1000, 100, 0.1) == 300
    assert np.isnan(lead(steps[-3:], left[-3:], 1000, 100, 0.1))
    assert np.isnan(lead(steps, np.full(100, np.nan), 1000, 100, 0.1))


def test_a_lone_case_is_chosen_once() -> None:
    cases = pd.DataFrame(
        {"run": ["r0"], "point": [0], "onset": [200], "recovery": pd.array([None], dtype="Int64")}
    )
    visits = pd.DataFrame({"run": "r0", "step": [100, 200], "modes_share": [1.0, 0.1]})
    chosen = chosen_runs(cases, visits)
    assert chosen["run"].tolist() == ["r0"]

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from stability.outcomes import events
from stability.questions.autopsy.controls import (
    READ,
    borrow_onsets,
    first_good_visits,
    sample,
    subjects,
    unharmed,
)
from stability.records import Evaluation, EventKind, History, Record
from stability.spec import Thresholds

BARS = Thresholds()
METRICS = st.fixed_dictionaries(
    {
        "precision": st.sampled_from([0.0, 0.1, 0.2, 0.6, np.nan]),
        "modes": st.sampled_from([1, 3, 5, 9]),
        "diversity": st.sampled_from([0.05, 0.25, 0.3, 0.9, np.nan]),
    }
)


def history(run: str, visits: list[dict[str, Any]]) -> History:
    """A run with a visit every 100 steps."""
    steps = range(100, 100 * len(visits) + 1, 100)
    record: dict[str, Any] = {field.name: 0.5 for field in fields(Record)} | {"run": run, "penalty": None}
    record |= {name: () for name in record if name.startswith("layer_")}
    metrics: dict[str, Any] = {field.name: 0.5 for field in fields(Evaluation)}
    metrics |= {"class_shares": (0.1,) * 10, "sized": {}, "features": "mnist_cnn", "n_samples": 512}
    metrics |= {"run": run, "n_modes": 10, "fid_excess": 2.0}
    return History(
        run,
        tuple(Record(**record | {"step": step}) for step in steps),
        tuple(Evaluation(**metrics | {"step": s} | visit) for s, visit in zip(steps, visits, strict=True)),
        None,
        steps[-1],
    )


def visits_of(*histories: History) -> pd.DataFrame:
    names = ("run", *READ)
    rows = [{name: getattr(visit, name) for name in names} for one in histories for visit in one.evaluations]
    return pd.DataFrame(rows, columns=list(names))


@given(st.lists(st.lists(METRICS, min_size=1, max_size=8), min_size=1, max_size=4), st.randoms())
def test_good_agrees_with_the_collapses_that_the_labels_find(
    courses: list[list[dict[str, Any]]], random: Any
) -> None:
    histories = [history(f"r{place}", course) for place, course in enumerate(courses)]
    visits = visits_of(*histories)
    shuffled = visits.sample(frac=1, random_state=random.randrange(1000))
    first = first_good_visits(shuffled, BARS)
    for one in histories:
        for event in events(one, BARS):
            if event.kind is EventKind.COLLAPSE:
                was_good = one.run in first.index and first[one.run] < event.onset
                assert was_good is not event.never_good
        alone = visits[(visits["run"] == one.run)]
        good = (alone["precision"] >= 0.2) & (alone["modes"] >= 5) & (alone["diversity"] >= 0.3)
        assert first.get(one.run) == (alone.loc[good, "step"].min() if good.any() else None)


def test_healthy_begins_at_the_first_good_visit_or_after_the_first_one() -> None:
    good, bad = {"precision": 0.6, "modes": 9, "diversity": 0.9}, {"precision": 0.0, "modes": 1}
    visits = visits_of(history("a", [bad, good, good]), history("b", [bad, bad]))
    runs = pd.DataFrame({"run": ["a", "b", "c"], "point": 0, "adaptive": False, "step": 300, "outcome": "x"})
    found = subjects(runs, visits, BARS, EventKind.COLLAPSE)
    assert found["was_good"].tolist() == [True, False, False]
    assert found["start"].fillna(-1).tolist() == [199, -1, -1]
    other = subjects(runs, visits, BARS, EventKind.SATURATION)
    assert other["start"].fillna(-1).tolist() == [100, 100, -1]
    assert len(first_good_visits(visits.head(0), BARS)) == 0


def test_no_harm_is_no_event_and_no_failure() -> None:
    runs = pd.DataFrame({"run": list("abcdef"), "outcome": "stable"})
    runs.loc[4:, "outcome"] = ["noise", "learning"]
    kinds = ["collapse", "saturation", "loss_spike", "latent_ignored"]
    happened = pd.DataFrame({"run": list("abcd"), "kind": kinds})
    assert unharmed(runs, happened, EventKind.COLLAPSE)["run"].tolist() == ["c", "d", "f"]
    assert unharmed(runs, happened, EventKind.LATENT_IGNORED)["run"].tolist() == ["c", "f"]


def test_a_borrowed_onset_is_one_that_the_run_could_have_had() -> None:
    rows = {"run": list("abcd"), "adaptive": [False, False, False, True], "step": [1000, 400, 1000, 1000]}
    others = pd.DataFrame(rows | {"start": [199.0, 199.0, np.nan, 199.0]})
    cases = pd.DataFrame({"onset": [100, 300, 900]})
    seen: dict[str, set[int]] = {}
    for seed in range(40):
        for row in borrow_onsets(others, cases, np.random.default_rng(seed)).to_dict("records"):
            seen.setdefault(row["run"], set()).add(row["onset"])
    assert seen == {"a": {300, 900}, "b": {300}}
    assert len(borrow_onsets(others, cases.head(0), np.random.default_rng(0))) == 0


def test_a_sample_keeps_the_order() -> None:
    many = pd.DataFrame({"run": range(500)})
    kept = sample(many, np.random.default_rng(0))
    assert len(kept) == 200
    assert kept["run"].is_monotonic_increasing
    assert sample(kept, np.random.default_rng(0)) is kept

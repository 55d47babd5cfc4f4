from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from made_study import make_store

from stability.questions.comparison.same_runs import TELLING, same_runs
from stability.reading.frames import load
from stability.store.tables import RECORDS

STEPS = (10, 20, 30, 40)


def runs_of(losses: tuple[str, ...], points: int = 2, seeds: int = 2) -> pd.DataFrame:
    rows = [
        {"run": f"p{point}-{loss}-s{seed}", "point": point, "replicate": seed, "loss": loss, "width": 8}
        for point in range(points)
        for loss in losses
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows)


def records_of(runs: pd.DataFrame) -> pd.DataFrame:
    """Numbers that depend on point, seed and step, not on the loss; the losses themselves differ."""
    rows = []
    for place, run in enumerate(runs.itertuples()):
        for step in STEPS:
            value = np.sin(1 + 7 * run.point + 3 * run.replicate + step)
            rows.append(
                {"run": run.run, "step": step, "loss_d": float(place), **dict.fromkeys(TELLING, value)}
            )
    return pd.DataFrame(rows)


def counts(
    runs: pd.DataFrame, records: pd.DataFrame, *crossed: str
) -> dict[tuple[str, str], tuple[int, ...]]:
    found = same_runs(runs, records, "loss", crossed or ("loss",), horizon=STEPS[-1])
    return {(row.first, row.second): (row.n_same, row.n_half, row.n_pairs) for row in found.itertuples()}


def test_runs_without_a_record_are_no_pairs() -> None:
    """Runs that are shorter than the steps between two records have none."""
    runs = runs_of(("hinge", "wasserstein"))
    assert counts(runs, records_of(runs).head(0)) == {}


def test_runs_that_differ_in_nothing_but_their_loss_are_the_same() -> None:
    runs = runs_of(("hinge", "wasserstein", "minimax"))
    records = records_of(runs).sample(frac=1, random_state=0)  # in whatever order they come
    records.loc[records["run"].str.contains("minimax"), TELLING[0]] += 1
    assert counts(runs, records) == {
        ("hinge", "wasserstein"): (4, 4, 4),
        ("hinge", "minimax"): (0, 0, 4),
        ("wasserstein", "minimax"): (0, 0, 4),
    }


@pytest.mark.parametrize("column", TELLING)
def test_the_last_bit_of_any_number_counts(column: str) -> None:
    """Two of the four pairs part: one before half of the horizon, one after."""
    runs = runs_of(("hinge", "wasserstein"))
    records = records_of(runs)
    for run, step in (("p0-hinge-s0", 20), ("p1-hinge-s1", 30)):
        here = (records["run"] == run) & (records["step"] == step)
        records.loc[here, column] = np.nextafter(records.loc[here, column], 9.0)
    assert counts(runs, records) == {("hinge", "wasserstein"): (2, 3, 4)}


def test_a_run_that_is_longer_is_another() -> None:
    runs = runs_of(("hinge", "wasserstein"), points=1, seeds=1)
    records = records_of(runs)
    shorter = records[(records["run"] != "p0-hinge-s0") | (records["step"] < 40)]
    assert counts(runs, shorter) == {("hinge", "wasserstein"): (0, 1, 1)}


def test_runs_that_were_not_recorded_by_half_way_are_not_known_to_be_the_same_there() -> None:
    runs = runs_of(("hinge", "wasserstein"), points=1, seeds=1)
    late = records_of(runs).query("step > 20").copy()
    late.loc[(late["run"] == "p0-hinge-s0") & (late["step"] == 40), TELLING[0]] += 1
    assert counts(runs, late) == {("hinge", "wasserstein"): (0, 0, 1)}


def test_runs_without_records_and_without_partners_make_no_pair() -> None:
    runs = runs_of(("hinge", "wasserstein"))
    records = records_of(runs)
    recorded = records[records["run"] != "p0-hinge-s0"]
    alone = runs[runs["run"] != "p1-wasserstein-s1"]
    assert counts(alone, recorded) == {("hinge", "wasserstein"): (2, 2, 2)}


def test_other_crossed_factors_must_agree() -> None:
    runs = runs_of(("hinge", "wasserstein"), points=1, seeds=1)
    both = pd.concat([runs, runs.assign(run=runs["run"] + "-wide", width=16)], ignore_index=True)
    records = records_of(both)
    records.loc[records["run"] == "p0-hinge-s0-wide", TELLING[1]] += 1
    assert counts(both, records, "loss", "width") == {("hinge", "wasserstein"): (1, 1, 2)}


def test_what_is_not_crossed_shares_no_run() -> None:
    runs = runs_of(("hinge", "wasserstein"))
    assert same_runs(runs, records_of(runs), "loss", ("width",), horizon=40).empty


def test_stored_records_count_as_those_in_memory(tmp_path: Path) -> None:
    frames = load(make_store(tmp_path / "made").folder)
    stored, memory = (
        same_runs(frames.runs, source, "loss", ("loss",), horizon=frames.plan.horizon)
        for source in (frames.source, frames.records)
    )
    assert stored["n_pairs"].sum() > 0
    pd.testing.assert_frame_equal(stored, memory)
    assert all(pa.types.is_floating(RECORDS.field(name).type) for name in TELLING)

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from stability.outcomes import label
from stability.questions.sensitivity.estimate import (
    DECIDING,
    DEFAULT,
    FACTORS,
    MOST_RUNS,
    Sensitivity,
    sensitivity,
    variants,
)
from stability.records import SUCCESSES, Evaluation, History, Outcome, Record
from stability.spec import Thresholds
from stability.statistics.rates import ADAPTIVE, NO_RUNS

HORIZON, EVERY = 1000, 100
BARS = Thresholds(
    stable_excess=0.1, nearly_excess=0.25, nearly_modes=0.8, saturated_separation=0.99, persist=3
)


def history(run: str, fid_excess: Sequence[float] | float = 0.05, **visit: Any) -> History:
    """A healthy run with a visit every `EVERY` steps, and what is said of it otherwise."""
    steps = range(EVERY, HORIZON + 1, EVERY)
    excesses = [fid_excess] * len(steps) if isinstance(fid_excess, float) else list(fid_excess)
    even: dict[str, Any] = {field.name: 0.5 for field in fields(Record)}
    layers = {name: () for name in even if name.startswith("layer_")}
    metrics: dict[str, Any] = {field.name: 0.5 for field in fields(Evaluation)}
    good = {"modes": 10, "n_modes": 10, "precision": 0.6, "diversity": 0.9, "separation": 0.8}
    good |= {"class_shares": (0.1,) * 10, "sized": {}, "features": "mnist_cnn", "n_samples": 512}
    return History(
        run,
        tuple(Record(**even | layers | {"run": run, "step": step, "penalty": None}) for step in steps),
        tuple(
            Evaluation(**metrics | good | {"run": run, "step": step, "fid_excess": excess} | visit)
            for step, excess in zip(steps, excesses, strict=True)
        ),
        None,
        HORIZON,
    )


def studied(histories: Iterable[History], *, factor: str = "loss", **columns: Any) -> Sensitivity:
    """Runs named `<point>-<loss>-...`, labelled by `BARS`."""
    kept = {item.run: item for item in histories}
    runs = pd.DataFrame(
        {
            "run": list(kept),
            "point": [int(run.split("-")[0]) for run in kept],
            "loss": [run.split("-")[1] for run in kept],
            "adaptive": False,
            "stopped": False,
        }
    ).assign(**columns)
    return sensitivity(
        runs,
        lambda names: [kept[name] for name in names],
        factor=factor,
        thresholds=BARS,
        horizon=HORIZON,
        rng=np.random.default_rng(0),
    )


def two_losses() -> list[History]:
    """At every point `near` ends with a FID excess of .15 or .3, `far` with .225: one bar of .25 decides."""
    near = [history(f"{point}-near", 0.3 if point % 4 == 0 else 0.15) for point in range(12)]
    return near + [history(f"{point}-far", 0.225 if point % 3 else 1.0) for point in range(12)]


def test_moving_the_fid_bar_moves_the_ranking_as_it_must() -> None:
    result = studied(two_losses())
    shares = result.rates.set_index(["variant", "level"])["estimate"]
    assert (shares[DEFAULT, "near"], shares[DEFAULT, "far"]) == (0.75, pytest.approx(2 / 3))
    assert (shares["nearly_excess 0.2", "near"], shares["nearly_excess 0.2", "far"]) == (0.75, 0.0)
    assert (shares["nearly_excess 0.125", "near"], shares["nearly_excess 0.125", "far"]) == (0.0, 0.0)
    assert shares["nearly_excess 0.5", "near"] == 1.0
    table = result.variants.set_index("variant")
    assert table.loc[DEFAULT, ["tau", "best", "n_changed"]].tolist() == [1.0, "near", 0]
    assert table.loc["nearly_excess 0.2", ["tau", "n_changed"]].tolist() == [1.0, 8]
    assert table.loc["nearly_excess 0.125", "reason"].startswith("not estimable")
    assert not table["best_changed"].any()
    assert set(result.rates["n_points"]) == {12}


def test_a_reversed_ranking_is_told() -> None:
    better = [history(f"{point}-a", 0.225) for point in range(6)] + [history("6-a", 0.35)]
    worse = [history(f"{point}-b", 0.15 if point < 5 else 0.6) for point in range(7)]
    result = studied([*better, *worse])
    row = result.variants.set_index("variant").loc["nearly_excess 0.2"]
    assert (row["tau"], row["best"], row["best_changed"]) == (-1.0, "b", True)
    ranks = result.rates.set_index(["variant", "level"])["rank"]
    assert (ranks[DEFAULT, "a"], ranks["nearly_excess 0.2", "a"]) == (1, 2)


def test_a_shorter_horizon_labels_what_was_known_then() -> None:
    late = [1.0] * 4 + [0.15] * 6
    result = studied([history("0-a", late), history("1-a", 0.15), history("0-b"), history("1-b")])
    shares = result.rates.set_index(["variant", "level"])["estimate"]
    assert (shares[DEFAULT, "a"], shares["horizon 500", "a"], shares["horizon 750", "a"]) == (1.0, 0.5, 1.0)
    assert result.variants.set_index("variant").loc["horizon 500", "n_changed"] == 1


def test_the_default_gives_the_labels_that_the_rules_gave() -> None:
    odd = [history("0-a", modes=5), history("0-b", [0.1] * 8 + [0.45] * 2), history("1-a", diversity=0.1)]
    runs = [*odd, history("1-b", 0.15), history("2-a"), history("2-b")]
    expected = [label(item, BARS, horizon=HORIZON).outcome for item in runs]
    assert expected[3:] == [Outcome.NEARLY_STABLE, Outcome.STABLE, Outcome.STABLE]
    rates = studied(runs).rates
    success = rates[rates["variant"] == DEFAULT]["estimate"] * 3
    assert success.sum() == pytest.approx(sum(outcome in SUCCESSES for outcome in expected)) == 3


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.floats(0.01, 0.5), st.integers(6, 10), st.floats(0, 1), st.floats(0.1, 1), st.floats(0, 1)
        ),
        min_size=10,
        max_size=10,
    ),
    st.sampled_from(FACTORS),
)
def test_the_thresholds_left_out_do_not_decide_who_succeeds(
    visits: list[tuple[float, int, float, float, float]], factor: float
) -> None:
    names = ("fid_excess", "modes", "precision", "diversity", "separation")
    plain = history("0-a")
    changed = tuple(
        Evaluation(
            **{field.name: getattr(before, field.name) for field in fields(Evaluation)}
            | dict(zip(names, values, strict=True))
        )
        for before, values in zip(plain.evaluations, visits, strict=True)
    )
    course = History("0-a", plain.records, changed, None, HORIZON)
    others = set(Thresholds.model_fields) - {*DECIDING, "measures"}
    bars = {name: getattr(BARS, name) * factor for name in others}
    bars["stable_modes"] = max(bars["stable_modes"], BARS.nearly_modes)
    moved = BARS.model_copy(update=bars)
    before, after = (label(course, bars, horizon=HORIZON).outcome for bars in (BARS, moved))
    assert (before in SUCCESSES) == (after in SUCCESSES)


def test_every_variant_is_valid_and_moves_one_thing() -> None:
    ways = variants(BARS, HORIZON)
    assert len({way.name for way in ways}) == len(ways)
    assert {way.threshold for way in ways} == {"", "horizon", *DECIDING}
    for way in ways[1:]:
        again = Thresholds(**way.thresholds.model_dump())  # limits hold
        differing = [name for name in Thresholds.model_fields if getattr(again, name) != getattr(BARS, name)]
        assert (differing == [way.threshold]) != (way.horizon != HORIZON)
    values = {way.value for way in ways if way.threshold == "saturated_separation"}
    assert values == {0.98, 0.9875, 0.992, 0.995}
    assert {way.value for way in ways if way.threshold == "persist"} == {1, 2, 4, 6}
    assert {way.value for way in ways if way.threshold == "nearly_modes"} == {0.4, 0.64, 1.0}


def test_how_often_points_alone_change_the_leader() -> None:
    sure = [history(f"{p}-a") for p in range(8)] + [history(f"{p}-b", 1.0) for p in range(8)]
    assert studied(sure).resampled == 0.0
    close = [history(f"{p}-a", 1.0 if p < 4 else 0.05) for p in range(9)]
    close += [history(f"{p}-b", 1.0 if p >= 4 else 0.05) for p in range(9)]
    assert studied(close).resampled == pytest.approx(binom.cdf(4, 9, 5 / 9), abs=0.05)


def test_nothing_to_label_gives_a_reason_and_stopped_runs_are_counted() -> None:
    assert studied([]).reason == NO_RUNS
    assert studied(two_losses(), adaptive=True).reason == ADAPTIVE
    assert studied(two_losses(), stopped=True).n_stopped == 24
    alone = studied([history("0-a"), history("1-a")])
    assert alone.variants["reason"].str.contains("but one").all()


def test_a_large_study_is_sampled() -> None:
    asked: list[str] = []
    runs = pd.DataFrame({"run": [f"{i}-a" for i in range(900)], "point": np.arange(900) // 3, "loss": "a"})

    def read(names: Sequence[str]) -> Iterable[History]:
        asked.extend(names)
        return []

    sensitivity(
        runs.assign(adaptive=False, stopped=False),
        read,
        factor="loss",
        thresholds=BARS,
        horizon=HORIZON,
        rng=np.random.default_rng(0),
    )
    assert len(asked) == MOST_RUNS - MOST_RUNS % 3

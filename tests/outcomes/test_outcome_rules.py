from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from stability.outcomes import label
from stability.outcomes.outcome_rules import OUTCOME_RULES
from stability.records import Divergence, Outcome
from stability.spec.thresholds import Thresholds

if TYPE_CHECKING:
    from tests.outcomes.conftest import Plant

FALLING = [60.0, 50.0, 42.0, 36.0, 31.0, 27.0]
FLAT = [60.0, 50.0, 42.0, 42.0, 42.0, 42.0]
NOISE = {"precision": 0.0, "modes": 1, "diversity": 0.02, "separation": 1.0}

PLANTED: list[tuple[Outcome, dict[str, Any], str]] = [
    (
        Outcome.DIVERGED,
        {"divergence": Divergence(412, "loss_d")},
        "loss_d is not finite at step 412",
    ),
    (
        Outcome.DIVERGED,
        {"classifier_confidence": [0.9, 0.9, math.nan]},
        "fake is not finite at step 750",
    ),
    (
        Outcome.SATURATED,
        {"separation": 1.0, "updates": {"discriminator_update": [0.5, 0.5, 0.5, 0.002, 0.002, 0.002]}},
        "separation 1.00 and discriminator update 0.002 at the last 3 visits",
    ),
    (
        Outcome.OSCILLATING,
        {"modes": [9, 2, 9, 9, 2, 9]},
        "good and lost again 2 times, at steps 500 and 1250",
    ),
    (
        Outcome.COLLAPSED,
        {"modes": [9, 9, 2, 2, 4, 4]},
        "was good, lost modes or diversity at step 750, ends with 4 of 10 modes and diversity 0.9",
    ),
    (
        Outcome.COLLAPSED,
        {"precision": 0.0, "modes": 1, "diversity": [0.2, 0.2, 0.05, 0.05, 0.05, 0.05], "fid_ratio": FLAT},
        "never good, diversity 0.05 since step 750, log FID falls by 0 over the last 3 visits",
    ),
    (
        Outcome.DEGRADED,
        {"fid_ratio": [30.0, 10.0, 10.0, 15.0, 18.0, 21.0]},
        "FID ratio 21 after 10 at its best, 9 of 10 modes kept",
    ),
    (
        Outcome.DEGRADED,
        {"precision": [0.6, 0.6, 0.6, 0.6, 0.05, 0.05]},
        "was good, ends with precision 0.05, 9 of 10 modes kept, log FID falls by 0 over the last 3 visits",
    ),
    (
        Outcome.STABLE,
        {"fid_ratio": [60.0, 40.0, 30.0, 20.0, 14.0, 12.0]},
        "FID ratio 12 with 9 of 10 modes",
    ),
    (
        Outcome.UNFINISHED,
        {"precision": 0.1, "fid_ratio": FALLING},
        "log FID falls by 0.29 over the last 3 visits, now FID ratio 27 with 9 of 10 modes",
    ),
    (
        Outcome.UNLEARNED,
        {"precision": 0.1, "fid_ratio": FLAT},
        "FID ratio 42 with 9 of 10 modes, log FID falls by 0 over the last 3 visits",
    ),
]

LOOKS: dict[str, tuple[Outcome, dict[str, Any]]] = {
    "minimax, the signal is gone, one noise image": (
        Outcome.SATURATED,
        NOISE
        | {
            "fid_ratio": [200.0, 260.0, 280.0, 285.0, 285.0, 285.0],
            "updates": {"generator_update": 1e-6, "discriminator_update": 0.004},
        },
    ),
    "saturated with a large G gradient, since D has stopped": (
        Outcome.SATURATED,
        NOISE
        | {
            "modes": 2,
            "diversity": 0.3,
            "fid_ratio": [80.0, 76.0, 78.0, 77.0, 77.0, 77.0],
            "updates": {"discriminator_update": 0.0},
        },
    ),
    "one image, never good": (
        Outcome.COLLAPSED,
        NOISE | {"fid_ratio": [99.0, 95.0, 98.0, 96.0, 97.0, 97.0]},
    ),
    "was good, then collapsed": (
        Outcome.COLLAPSED,
        {
            "precision": [0.3, 0.4, 0.3, 0.1, 0.05, 0.05],
            "modes": [5, 6, 5, 4, 2, 2],
            "diversity": [0.6, 0.7, 0.6, 0.5, 0.35, 0.35],
            "separation": [0.6, 0.66, 0.8, 0.95, 1.0, 1.0],
            "fid_ratio": [30.0, 19.0, 25.0, 40.0, 55.0, 60.0],
        },
    ),
    "unfinished": (
        Outcome.UNFINISHED,
        {
            "precision": [0.0, 0.0, 0.02, 0.05, 0.1, 0.12],
            "modes": [1, 1, 2, 2, 3, 4],
            "diversity": [0.05, 0.1, 0.2, 0.3, 0.4, 0.5],
            "separation": 0.81,
            "fid_ratio": [90.0, 64.0, 55.0, 49.0, 44.0, 39.0],
        },
    ),
    "stable": (
        Outcome.STABLE,
        {
            "precision": [0.1, 0.4, 0.5, 0.6, 0.6, 0.6],
            "modes": [4, 9, 9, 10, 10, 10],
            "separation": 0.78,
            "fid_ratio": [40.0, 22.0, 17.0, 14.0, 12.5, 11.0],
        },
    ),
}

THRESHOLDS = Thresholds(collapsed_diversity=0.1, stable_fid_ratio=12.0, progress=0.1)
"""Spelled out where the planted histories lie close to them, so that the rules are tested."""


@pytest.mark.parametrize(
    ("outcome", "columns", "reason"), PLANTED, ids=[f"{i}-{row[0]}" for i, row in enumerate(PLANTED)]
)
def test_planted_outcome_with_its_reason(
    plant: Plant, outcome: Outcome, columns: dict[str, Any], reason: str
) -> None:
    history = plant.history(**columns)
    result = label(history, THRESHOLDS, horizon=history.last_step)
    assert (result.outcome, result.reason) == (outcome, reason)


@pytest.mark.parametrize("look", LOOKS)
def test_runs_as_they_were_seen(plant: Plant, look: str) -> None:
    outcome, columns = LOOKS[look]
    assert label(plant.history(**columns), THRESHOLDS, horizon=1500).outcome is outcome


def test_the_rules_are_all_the_outcomes_in_their_order() -> None:
    assert [outcome for outcome, _ in OUTCOME_RULES] == list(Outcome)
    assert {outcome for outcome, *_ in PLANTED} == set(Outcome)


@pytest.mark.parametrize(
    ("outcome", "columns"),
    [
        (Outcome.STABLE, {"separation": 1.0, "updates": {"generator_update": [0.5, 0.5, 0.5, 0.5, 0, 0]}}),
        (Outcome.STABLE, {"n": 2, "separation": 1.0, "updates": {"generator_update": 0.0}}),
        (Outcome.STABLE, {"modes": [9, 2, 9, 9, 9, 9]}),
        (Outcome.STABLE, {"precision": [0.6, 0.6, 0.6, 0.6, 0.6, 0.15]}),
        (
            Outcome.STABLE,
            {"precision": [0.6, 0.05, 0.05, 0.05], "fid_ratio": [20, 16, 12, 9]},
        ),
        (Outcome.UNFINISHED, {"precision": [0.6, 0.6, 0.6, 0.6, 0.05, 0.05], "fid_ratio": FALLING}),
        (Outcome.UNFINISHED, NOISE | {"fid_ratio": FALLING}),
        (Outcome.UNLEARNED, NOISE | {"n": 2}),
        (Outcome.UNLEARNED, {"precision": 0.1, "modes": 3, "fid_ratio": [30, 30, 30, 90, 90, 90]}),
        (Outcome.UNLEARNED, {"fid_ratio": [30, 10, 20, 20, 20, 20]}),
        (Outcome.UNLEARNED, {"fid_ratio": 12.1}),
        (Outcome.UNLEARNED, {"modes": 8}),
        (Outcome.UNLEARNED, {"fid_ratio": math.nan}),
        (Outcome.UNLEARNED, {"fid_ratio": -math.inf}),
        (Outcome.DEGRADED, {"fid_ratio": [9.0, 9.0, math.inf]}),
        (Outcome.DEGRADED, {"precision": [0.6, 0.6, 0.6, math.nan]}),
        (Outcome.UNLEARNED, {"precision": math.nan}),
        (Outcome.UNLEARNED, {"diversity": math.inf}),
        (Outcome.COLLAPSED, {"diversity": [0.9, 0.9, 0.9, math.nan]}),
        (Outcome.DIVERGED, NOISE | {"updates": {"discriminator_update": [0.0, 0.0, 0.0, math.nan]}, "n": 4}),
        (Outcome.UNLEARNED, {"n": 0}),
    ],
    ids=[
        *("saturated too briefly", "too few visits to saturate", "lost once and back", "between thresholds"),
        *("faded but near", "faded and falling", "low diversity with progress", "too few visits to collapse"),
        *(
            "worse but without modes",
            "just twice the best",
            "above the bar",
            "a mode short",
            "FID unknown",
            "FID minus infinity",
        ),
        *(
            "FID infinite",
            "precision lost to NaN",
            "precision unknown",
            "diversity infinite",
            "diversity lost to NaN",
            "weights not finite",
            "no visit",
        ),
    ],
)
def test_the_edges_of_the_rules(plant: Plant, outcome: Outcome, columns: dict[str, Any]) -> None:
    assert label(plant.history(**columns), THRESHOLDS, horizon=1500).outcome is outcome

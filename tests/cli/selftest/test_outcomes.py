"""One outcome rule or threshold at a time is made wrong, and a planted run has to be labelled otherwise."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch

from stability.cli.selftest import outcomes
from stability.cli.selftest.bench import Bench
from stability.gan import evaluation
from stability.outcomes import course, event_rules, outcome_rules
from stability.records import Outcome
from stability.spec.thresholds import Thresholds

CPU = torch.device("cpu")
Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]
FailsWhen = Callable[[Plant, tuple[str, ...], Callable[[], Bench]], None]


def attribute(target: Any, name: str, value: Any) -> Plant:
    return lambda patch: patch.setattr(target, name, value)


@pytest.fixture(scope="module")
def looked_at(shared: Bench) -> Callable[..., Any]:
    """The visits' evaluations, each made once while nothing was wrong."""
    right = outcomes._evaluate
    return cache(lambda visit: right(visit, shared))


def without_rule(outcome: Outcome) -> Plant:
    left = tuple(rule for rule in outcome_rules.OUTCOME_RULES if rule[0] is not outcome)
    return attribute(outcome_rules, "OUTCOME_RULES", left)


def thresholds(**wrong: Any) -> Plant:
    return attribute(outcomes, "Thresholds", partial(Thresholds, **wrong))


def late_onset(patch: Patch) -> None:
    right = event_rules._sighting

    def late(visits: Any, stretch: Any, evidence: str) -> Any:
        later = min(stretch.start + 1, len(visits) - 1)
        return right(visits, stretch._replace(start=later), evidence)

    patch.setattr(event_rules, "_sighting", late)


def swapped_rules(patch: Patch) -> None:
    """Stable before all the others."""
    rules = sorted(outcome_rules.OUTCOME_RULES, key=lambda rule: rule[0] is not Outcome.STABLE)
    patch.setattr(outcome_rules, "OUTCOME_RULES", tuple(rules))


COLLAPSES, FREEZES, BREAKS = "collapses to one image", "freezes, learning nothing", "samples become NaN"
SWINGS, FORGETS, STAYS = "good, lost, good, lost, good", "forgets two, then five classes", "stays good"
RULE_ERRORS: dict[str, tuple[Plant, tuple[str, ...]]] = {
    "no rule: diverged": (attribute(course, "first_divergence", lambda history: None), (BREAKS,)),
    "no rule: saturated": (without_rule(Outcome.SATURATED), (FREEZES,)),
    "no rule: oscillating": (without_rule(Outcome.OSCILLATING), (SWINGS,)),
    "no rule: collapsed": (without_rule(Outcome.COLLAPSED), (COLLAPSES,)),
    "no rule: degraded": (without_rule(Outcome.DEGRADED), (FORGETS,)),
    "no rule: stable": (without_rule(Outcome.STABLE), (STAYS,)),
    "stable is tried first": (swapped_rules, (SWINGS,)),
    "onsets a visit late": (late_onset, (COLLAPSES, FREEZES, SWINGS, FORGETS)),
    "persist 6": (thresholds(persist=6), (FREEZES,)),
    "degraded from 1,000 times on": (thresholds(degraded_ratio=1000.0), (FORGETS,)),
    "mode dropping from three on": (thresholds(dropped_modes=3), (FORGETS,)),
    "good from a precision of 1 on": (thresholds(good_precision=1.0, good_modes=1.0), (SWINGS,)),
    "stable only below a ratio of .001": (thresholds(stable_fid_ratio=1e-3), (STAYS,)),
}


@pytest.mark.parametrize("error", RULE_ERRORS)
def test_a_wrong_rule_is_found(
    monkeypatch: Patch, looked_at: Callable[..., Any], fails_when: FailsWhen, tmp_path: Path, error
) -> None:
    monkeypatch.setattr(outcomes, "_evaluate", lambda visit, bench: looked_at(visit))
    plant, names = RULE_ERRORS[error]
    fails_when(plant, tuple(f"planted run: {name}" for name in names), lambda: Bench(CPU, tmp_path))


def masked(patch: Patch) -> None:
    right = evaluation.Evaluator.evaluate
    patch.setattr(
        evaluation.Evaluator,
        "evaluate",
        lambda self, images, **rest: right(self, images.nan_to_num(), **rest),
    )


def test_a_masked_nan_is_found(shared: Bench, fails_when: FailsWhen, tmp_path: Path) -> None:
    def make() -> Bench:
        bench = Bench(CPU, tmp_path)
        bench.evaluators["mnist"] = shared.evaluator("mnist")
        return bench

    fails_when(masked, (f"planted run: {BREAKS}",), make)

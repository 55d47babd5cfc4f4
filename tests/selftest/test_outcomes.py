"""One outcome rule or threshold at a time is made wrong, and a planted run has to be labelled otherwise."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch

from stability.gan.metrics import evaluation
from stability.outcomes import course, event_rules, outcome_rules, signs
from stability.records import Outcome
from stability.selftest import outcomes
from stability.selftest.bench import Bench
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
    return cache(lambda sample, perfect: right(sample, perfect, shared))


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


def tried_first(outcome: Outcome) -> Plant:
    rules = sorted(outcome_rules.OUTCOME_RULES, key=lambda rule: rule[0] is not outcome)
    return attribute(outcome_rules, "OUTCOME_RULES", tuple(rules))


def no_recovery_counts(patch: Patch) -> None:
    """Once lost, lost for good."""
    right = signs._next

    def stays(state: signs.State, **seen: bool) -> signs.State:
        return state if state is signs.State.COLLAPSED else right(state, **seen)

    patch.setattr(signs, "_next", stays)


STAYS, COLLAPSES, FREEZES = "stays good", "collapses to one image", "freezes, learning nothing"
BREAKS, EXPLODES, SWINGS = "samples become NaN", "losses explode", "the networks take turns"
ARRIVES = "nearly all samples are good, but only just now"
COMES_BACK, FORGETS = "good, lost, good, lost at the last visit", "forgets two classes"
FORGETS_MORE, NEVER_HAD = "forgets two, then six classes", "never draws six classes"
LEARNS, BEATEN, NOISE = "more and more samples are good", "is told from real at a glance", "learns nothing"
RULE_ERRORS: dict[str, tuple[Plant, tuple[str, ...]]] = {
    "no finite number is asked for": (attribute(course, "first_divergence", lambda history: None), (BREAKS,)),
    "no rule: diverged": (without_rule(Outcome.DIVERGED), (BREAKS, EXPLODES)),
    "no rule: saturated": (without_rule(Outcome.SATURATED), (FREEZES,)),
    "no rule: stable": (without_rule(Outcome.STABLE), (STAYS, COMES_BACK)),
    "no rule: nearly stable": (without_rule(Outcome.NEARLY_STABLE), (FORGETS,)),
    "no rule: oscillating": (without_rule(Outcome.OSCILLATING), (SWINGS,)),
    "no rule: learning": (without_rule(Outcome.LEARNING), (LEARNS,)),
    "no rule: collapsed": (without_rule(Outcome.COLLAPSED), (COLLAPSES,)),
    "no rule: partial collapse": (without_rule(Outcome.PARTIAL_COLLAPSE), (FORGETS_MORE, NEVER_HAD)),
    "no rule: dominated": (without_rule(Outcome.DOMINATED), (BEATEN,)),
    "partial collapse is tried first": (tried_first(Outcome.PARTIAL_COLLAPSE), (COLLAPSES,)),
    "onsets a visit late": (late_onset, (COLLAPSES, FREEZES, EXPLODES, COMES_BACK, FORGETS, BEATEN)),
    "the last visit alone decides": (thresholds(persist=1), (COMES_BACK,)),
    "persist 6": (thresholds(persist=6), (FREEZES, FORGETS_MORE)),
    "once lost, lost for good": (no_recovery_counts, (COMES_BACK,)),
    "mode dropping from three on": (thresholds(dropped_modes=3), (FORGETS,)),
    "stable with eight modes of ten": (thresholds(stable_modes=0.8, stable_excess=0.27), (FORGETS,)),
    "nearly stable with four modes of ten": (thresholds(nearly_modes=0.4), (FORGETS_MORE, NEVER_HAD)),
    "good from a precision of 1 on": (thresholds(good_precision=1.0, good_modes=1.0), (COMES_BACK,)),
    "stable up to an excess of 10": (
        thresholds(stable_excess=10.0, stable_modes=0.4),
        (FORGETS_MORE, NEVER_HAD),
    ),
    "what is on its way has arrived": (
        attribute(outcome_rules, "_on_the_way", lambda visits, thresholds: False),
        (ARRIVES,),
    ),
    "nearly stable only below an excess of 1e-9": (thresholds(nearly_excess=1e-9), (FORGETS,)),
    "explosions from 1e9 times on": (thresholds(explosion=1e9), (EXPLODES,)),
    "six swings are asked for": (thresholds(swings=6), (SWINGS,)),
    "new ground is nothing but a hundredth": (thresholds(new_ground=0.01), (LEARNS,)),
    "stable only from a precision of 1 on": (thresholds(stable_precision=1.0), (STAYS, COMES_BACK)),
    "all is one image": (thresholds(collapsed_diversity=1.0), (NOISE,)),
}


@pytest.mark.parametrize("error", RULE_ERRORS)
def test_a_wrong_rule_is_found(
    monkeypatch: Patch, looked_at: Callable[..., Any], fails_when: FailsWhen, tmp_path: Path, error
) -> None:
    monkeypatch.setattr(outcomes, "_evaluate", lambda sample, perfect, bench: looked_at(sample, perfect))
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

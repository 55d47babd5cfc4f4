"""The early stop on trial: when `training.stop_on` would have ended a finished run, how often wrongly.

What was measured of it is a packaged file, `data/stop_rule.json`. Imports only `records` and `spec`.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from stability.outcomes.course import Course, course_of
from stability.outcomes.labels import STOPPING, course_stop_reason
from stability.records import History, Outcome
from stability.spec import StudySpec
from stability.spec.thresholds import Thresholds

STOP_RULES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "saturated": frozenset({"saturated"}),
        "collapsed": frozenset({"collapsed"}),
        "saturated or collapsed": frozenset({"saturated", "collapsed"}),
    }
)
"""What a run can be stopped for that training on might mend, as `training.stop_on` names it; a divergence is
for good."""

STOPPED_FOR = frozenset().union(*STOPPING.values())
"""Every outcome that can stop a run."""

STOP_THRESHOLDS = (
    "persist",
    "good_precision",
    "good_modes",
    "lost_precision",
    "lost_modes",
    "lost_diversity",
    "stable_excess",
    "stable_modes",
    "nearly_excess",
    "nearly_distance",
    "nearly_modes",
    "nearly_recall",
    "collapsed_diversity",
    "recognisable_distance",
    "recognisable_precision",
    "stable_precision",
    "saturated_separation",
    "saturated_update",
    "dominated_separation",
    "swing",
    "swings",
    "new_ground",
    "learning_horizon",
    "explosion",
    "latent_ignored_diversity",
)
"""The thresholds that decide whether and when a run is stopped: those of the outcomes that can stop one, and
of the outcomes that are tried before."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Where the rule would have ended a run, and for what."""

    step: int
    reason: Outcome


def replay_stop(
    history: History, thresholds: Thresholds, stop_on: Collection[str], *, horizon: int
) -> Stop | None:
    """Find the first visit before the horizon at which a stored run would have stopped, by what was known.

    As in training, the last visit stops nothing. A divergence stops at its own step.
    """
    return replay_course_stops(course_of(history), thresholds, [stop_on], horizon=horizon)[0]


def replay_course_stops(
    course: Course, thresholds: Thresholds, rules: Sequence[Collection[str]], *, horizon: int
) -> list[Stop | None]:
    """The same of a run whose visits are already derived, for several rules: each visit is judged once."""
    stops: list[Stop | None] = [None] * len(rules)
    for so_far in _prefixes(course, horizon):
        if None not in stops:
            break
        reason = course_stop_reason(so_far, thresholds, STOPPING)
        if reason is not None:
            here = Stop(int(so_far.visits.step[-1]), reason)
            stops = [
                stop or (here if _stops_for(reason, rule) else None)
                for stop, rule in zip(stops, rules, strict=True)
            ]
    found = course.divergence
    if found is not None and found.step < horizon:
        end = Stop(found.step, Outcome.DIVERGED)
        stops = [
            stop or (end if "diverged" in rule else None) for stop, rule in zip(stops, rules, strict=True)
        ]
    return stops


def _stops_for(reason: Outcome, rule: Collection[str]) -> bool:
    return any(reason in STOPPING[name] for name in rule)


def stop_rule_note(spec: StudySpec) -> str | None:
    """What a user of `stop_on` should know, in one line; None where it names neither or a divergence only."""
    rule = rule_of(spec.training.stop_on)
    if rule is None:
        return None
    measured = measurements()
    found = measured["rules"][rule]
    wrong = f"{found['false_stops']:,} of the {found['stops']:,} runs that it would have stopped"
    if found["ci_low"] is not None:
        wrong += f" ({found['estimate']:.2f}, 95% interval {found['ci_low']:.2f} to {found['ci_high']:.2f})"
    other = _differences(spec.outcomes, measured["thresholds"])
    return (
        f"stop_on {rule}: false stops, as measured in the study {measured['study']} "
        f"({measured['n_runs']:,} runs, {measured['steps']:,} steps, a visit every "
        f"{measured['evaluate_every']:,}): {wrong} ended neither diverged, saturated nor collapsed (wholly "
        f"or in part) when trained on, {found['success_stops']:,} of them stable or nearly so"
        f"{f'; measured with {other}' if other else ''}. "
        "Stopping censors recovery: whether a stopped run would have recovered is never seen"
    )


def rule_of(stop_on: Collection[str]) -> str | None:
    """The name in `STOP_RULES` of what `stop_on` adds to divergences."""
    added = STOP_RULES["saturated or collapsed"] & set(stop_on)
    return next((name for name, names in STOP_RULES.items() if names == added), None)


@cache
def measurements() -> Mapping[str, Any]:
    """The packaged measurements, as `stability.questions.early_stop.estimate.packaged_facts` writes them."""
    text = (files("stability") / "data" / "stop_rule.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return MappingProxyType(found)


def _prefixes(course: Course, horizon: int) -> Iterator[Course]:
    """The course as it was known at each visit before the horizon: nothing had diverged at any of them."""
    steps = [record.step for record in course.records]
    for place, step in enumerate(course.visits.step.tolist()):
        if step < horizon:
            records = course.records[: bisect_right(steps, step)]
            yield replace(course, divergence=None, records=records, visits=course.visits.first(place + 1))


def _differences(thresholds: Thresholds, measured: Mapping[str, float]) -> str:
    """The thresholds that differ from those measured with: "persist 3 (here 5)"."""
    here = {name: getattr(thresholds, name) for name in STOP_THRESHOLDS}
    differing = [name for name in STOP_THRESHOLDS if here[name] != measured[name]]
    return ", ".join(f"{name} {measured[name]:g} (here {here[name]:g})" for name in differing)

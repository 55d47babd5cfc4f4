"""One label for a run at its horizon, and the same rules online. Imports only `records` and `spec`."""

from __future__ import annotations

from collections.abc import Collection

from stability.outcomes.course import Course, course_of, until
from stability.outcomes.event_rules import course_events
from stability.outcomes.outcome_rules import decide, lost_for_good
from stability.outcomes.signs import measured
from stability.records import History, Outcome, RunResult
from stability.spec.thresholds import Thresholds

COLLAPSES = frozenset({Outcome.COLLAPSED, Outcome.PARTIAL_COLLAPSE})
STOPPING = {"diverged": {Outcome.DIVERGED}, "saturated": {Outcome.SATURATED}, "collapsed": COLLAPSES}
"""The outcomes that can end a run before its horizon, by their names under `training.stop_on`."""


def label(history: History, thresholds: Thresholds, *, horizon: int, stopped: bool = False) -> RunResult:
    """Give the events, the one outcome and its reason, from what was known at step `horizon`.

    What lies behind the horizon is not looked at, so a stored run can be labelled at a shorter one.
    `stopped` says that `stop_reason` ended the run.
    """
    known = until(history, horizon)
    course = course_of(known)
    outcome, reason = decide(course, thresholds)
    cut_short = known.last_step < horizon and outcome is not Outcome.DIVERGED
    return RunResult(
        run=history.run,
        outcome=outcome,
        step=known.last_step,
        reason=f"{reason}; trained to step {known.last_step} of {horizon}" if cut_short else reason,
        events=course_events(course, thresholds),
        divergence=course.divergence,
        stopped=stopped and history.last_step < horizon,
    )


def stop_reason(history: History, thresholds: Thresholds, stop_on: Collection[str]) -> Outcome | None:
    """Give the outcome for which a run should stop now: its label so far, if that is one of `stop_on`.

    Only a divergence, a saturation and a collapse can stop a run, and the last two only once they have
    lasted `persist` visits: a run that loses modes at one visit may be good again at the next. A collapse
    stops a run only where modes or diversity were lost: one that never had them may still get them.
    """
    return course_stop_reason(course_of(history), thresholds, stop_on)


def course_stop_reason(course: Course, thresholds: Thresholds, stop_on: Collection[str]) -> Outcome | None:
    """The same of a run whose visits are already derived."""
    outcome, _ = decide(course, thresholds)
    names = [name for name, outcomes in STOPPING.items() if outcome in outcomes and name in stop_on]
    if not names or (outcome in COLLAPSES and not _lost_and_lasting(course, thresholds)):
        return None
    return outcome


def _lost_and_lasting(course: Course, thresholds: Thresholds) -> bool:
    """Tell whether a run that was good has been without modes or diversity for `persist` visits."""
    lost = lost_for_good(measured(course, thresholds).visits, thresholds)
    return lost is not None and lost.stop - lost.start >= thresholds.persist

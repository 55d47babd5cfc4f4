"""The rules of the outcomes in the order in which they are tried; the first that gives a reason wins.

Losing precision alone is no collapse. Such a run is judged by its FID: degraded where FID has risen or no
longer falls, and like any other run where it still falls.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from stability.outcomes.course import Course, Visits
from stability.outcomes.signs import (
    State,
    fid_fall,
    last_stretch,
    lost_at,
    progress_window,
    progresses,
    saturated,
    states,
    stillborn,
)
from stability.outcomes.wording import describe_modes, describe_saturation
from stability.records import Outcome
from stability.spec.thresholds import Thresholds

AS_GOOD_AS_REAL = 1.0
"""The FID ratio of training images, on average; a smaller one is luck, and no mark to fall back from."""

Rule = Callable[[Course, Thresholds], str | None]
"""Gives the reason where the rule holds, else None."""


def decide(course: Course, thresholds: Thresholds) -> tuple[Outcome, str]:
    """Give the outcome of a run and its reason."""
    reasons = ((outcome, rule(course, thresholds)) for outcome, rule in OUTCOME_RULES)
    return next((outcome, reason) for outcome, reason in reasons if reason is not None)


def diverged(course: Course, thresholds: Thresholds) -> str | None:
    """Anything was not finite."""
    found = course.divergence
    return None if found is None else f"{found.tensor} is not finite at step {found.step}"


def saturated_at_the_end(course: Course, thresholds: Thresholds) -> str | None:
    """The discriminator is perfect and a network has stopped at each of the last `persist` visits."""
    if last_stretch(saturated(course.visits, thresholds), thresholds.persist) is None:
        return None
    numbers = describe_saturation(course.visits, -1, thresholds)
    return f"{numbers} at the {_last_visits(thresholds.persist)}"


def oscillating(course: Course, thresholds: Thresholds) -> str | None:
    """The run was good and lost again at least twice."""
    lost = lost_at(states(course.visits, thresholds))
    steps = " and ".join(str(step) for step in course.visits.step[lost])
    return f"good and lost again {len(lost)} times, at steps {steps}" if len(lost) >= 2 else None


def collapsed(course: Course, thresholds: Thresholds) -> str | None:
    """Modes or diversity were lost for good, or never came."""
    visits = course.visits
    lost = last_stretch(states(visits, thresholds) == State.COLLAPSED)
    if lost is not None:
        return f"was good, lost modes or diversity at step {visits.step[lost.start]}, ends with " + (
            describe_modes(visits, -1)
        )
    never = stillborn(visits, thresholds)
    if never is None:
        return None
    numbers = f"diversity {visits.diversity[-1]:.2g} since step {visits.step[never.start]}"
    return f"never good, {numbers}, {_describe_fall(visits)}"


def degraded(course: Course, thresholds: Thresholds) -> str | None:
    """The FID ratio has risen far above its best, or the precision is lost and FID no longer falls."""
    visits = course.visits
    if not len(visits) or not visits.modes_share[-1] > thresholds.lost_modes:
        return None
    last = float(visits.fid_ratio[-1])
    best = float(np.min(visits.fid_ratio, where=np.isfinite(visits.fid_ratio), initial=math.inf))
    if last > thresholds.degraded_ratio * max(best, AS_GOOD_AS_REAL):
        return f"FID ratio {last:.3g} after {best:.3g} at its best, {_describe_modes_kept(visits)}"
    if states(visits, thresholds)[-1] == State.FADED and not progresses(visits, thresholds):
        return (
            f"was good, ends with precision {visits.precision[-1]:.2f}, "
            f"{_describe_modes_kept(visits)}, {_describe_fall(visits)}"
        )
    return None


def stable(course: Course, thresholds: Thresholds) -> str | None:
    """The FID ratio is below its bar and the modes are covered; precision and diversity have to be known."""
    visits = course.visits
    if not len(visits):
        return None
    fid_ratio = float(visits.fid_ratio[-1])
    known = np.isfinite([fid_ratio, visits.precision[-1], visits.diversity[-1]]).all()
    near = fid_ratio <= thresholds.stable_fid_ratio
    covered = visits.modes_share[-1] >= thresholds.stable_modes
    return f"{_describe_fid(visits)} with {_describe_modes(visits)}" if known and near and covered else None


def unfinished(course: Course, thresholds: Thresholds) -> str | None:
    """Log FID still falls."""
    visits = course.visits
    if not progresses(visits, thresholds):
        return None
    return f"{_describe_fall(visits)}, now {_describe_fid(visits)} with {_describe_modes(visits)}"


def unlearned(course: Course, thresholds: Thresholds) -> str:
    """Nothing else holds."""
    visits = course.visits
    if not len(visits):
        return "there is no visit"
    return f"{_describe_fid(visits)} with {_describe_modes(visits)}, {_describe_fall(visits)}"


OUTCOME_RULES: tuple[tuple[Outcome, Rule], ...] = (
    (Outcome.DIVERGED, diverged),
    (Outcome.SATURATED, saturated_at_the_end),
    (Outcome.OSCILLATING, oscillating),
    (Outcome.COLLAPSED, collapsed),
    (Outcome.DEGRADED, degraded),
    (Outcome.STABLE, stable),
    (Outcome.UNFINISHED, unfinished),
    (Outcome.UNLEARNED, unlearned),
)


def _describe_fid(visits: Visits) -> str:
    return f"FID ratio {visits.fid_ratio[-1]:.3g}"


def _describe_modes(visits: Visits) -> str:
    return f"{visits.modes[-1]} of {visits.n_modes[-1]} modes"


def _describe_modes_kept(visits: Visits) -> str:
    return f"{_describe_modes(visits)} kept"


def _describe_fall(visits: Visits) -> str:
    fall = fid_fall(visits)
    if math.isnan(fall):
        return "progress unknown"
    verb = "falls" if fall >= 0 else "rises"
    return f"log FID {verb} by {abs(fall):.2g} over the {_last_visits(progress_window(visits))}"


def _last_visits(n: int) -> str:
    return "last visit" if n == 1 else f"last {n} visits"

"""The rules of the outcomes in the order in which they are tried; the first that gives a reason wins.

What a run is, is decided over its last `persist` visits, never by the last one alone. Losing quality with
the modes kept is no outcome of its own: such a run is what it is now, and its reason tells what it was.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from stability.outcomes.course import Course, Visits
from stability.outcomes.signs import (
    Mask,
    State,
    Stretch,
    covers,
    exploded,
    far_from_training,
    gains,
    last_stretch,
    lately,
    measured,
    mostly,
    one_image,
    saturated,
    some_modes,
    states,
    steady,
    stretches,
    swings,
    usual,
)
from stability.outcomes.wording import describe, describe_past, describe_saturation, last_visits
from stability.records import Outcome
from stability.spec.thresholds import Thresholds

Rule = Callable[[Course, Thresholds], str | None]
"""Gives the reason where the rule holds, else None."""


def decide(course: Course, thresholds: Thresholds) -> tuple[Outcome, str]:
    """Give the outcome of a run and its reason."""
    looked_at = measured(course, thresholds)
    reasons = ((outcome, rule(looked_at, thresholds)) for outcome, rule in OUTCOME_RULES)
    return next((outcome, reason) for outcome, reason in reasons if reason is not None)


def diverged(course: Course, thresholds: Thresholds) -> str | None:
    """Anything was not finite."""
    found = course.divergence
    return None if found is None else f"{found.tensor} is not finite at step {found.step}"


def saturated_from_early_on(course: Course, thresholds: Thresholds) -> str | None:
    """A network stopped within the first third of the visits and nothing had been good: it never began."""
    visits = course.visits
    since = last_stretch(saturated(visits, thresholds), thresholds.persist)
    if since is None or since.start > len(visits) / 3 or (states(visits, thresholds) == State.GOOD).any():
        return None
    return saturated_at_the_end(course, thresholds)


def collapsed_wholly(course: Course, thresholds: Thresholds) -> str | None:
    """Z no longer changes the image, whatever became of the networks."""
    return _one_image(course, thresholds, thresholds.latent_ignored_diversity)


def exploded_at_the_end(course: Course, thresholds: Thresholds) -> str | None:
    """The losses have grown out of all proportion and the samples with them."""
    visits = course.visits
    mask = exploded(visits, thresholds)
    if not mostly(mask, thresholds):
        return None
    first = visits.loss[np.isfinite(visits.loss)][0]
    peak = float(np.nanmax(visits.peak_loss))
    return f"exploded: losses up to {peak:.2g} after {first:.2g}, {describe(visits, thresholds)}"


def saturated_at_the_end(course: Course, thresholds: Thresholds) -> str | None:
    """A network has stopped for the last `persist` visits, no signal is left, and nothing was lost before."""
    visits = course.visits
    since = last_stretch(saturated(visits, thresholds), thresholds.persist)
    lost = lost_for_good(visits, thresholds)
    if since is None or (lost is not None and lost.start < since.start):
        return None
    numbers = describe_saturation(visits, -1, thresholds)
    return f"{numbers} at the {last_visits(len(visits) - since.start)}"


def stable(course: Course, thresholds: Thresholds) -> str | None:
    """The FID excess is below its bar and the modes are covered; precision and diversity have to be known.

    A run that has come that near only just now, or without variety, and gains still, is learning.
    """
    precise = lately(course.visits.precision, thresholds) >= thresholds.stable_precision
    reached = _reached(course, thresholds, thresholds.stable_excess, thresholds.stable_modes)
    return reached if precise else None


def nearly_stable(course: Course, thresholds: Thresholds) -> str | None:
    """The same with the lower bars."""
    return _reached(course, thresholds, thresholds.nearly_excess, thresholds.nearly_modes)


def oscillating(course: Course, thresholds: Thresholds) -> str | None:
    """The two networks take turns in winning."""
    turned = swings(course, thresholds)
    if len(turned) < thresholds.swings or not len(course.visits):
        return None
    return (
        f"separation swings {len(turned)} times by {thresholds.swing:g} or more from step {turned[0]} on, "
        f"{describe(course.visits, thresholds)}"
    )


def learning(course: Course, thresholds: Thresholds) -> str | None:
    """New ground is gained that would soon be good enough, and a mode is covered already."""
    visits = course.visits
    if not len(visits):
        return "there is no visit"
    if not lately(visits.modes_share, thresholds) > 0 or not gains(visits, thresholds):
        return None
    return f"still gaining, {describe(visits, thresholds)}"


def collapsed(course: Course, thresholds: Thresholds) -> str | None:
    """Nearly the same image for every z, lost or never had."""
    return _one_image(course, thresholds, thresholds.collapsed_diversity)


def dominated(course: Course, thresholds: Thresholds) -> str | None:
    """The discriminator tells nearly all apart over the last two thirds, and the generator gets nowhere."""
    visits = course.visits
    late = usual(visits.recorded_separation[visits.step > visits.step[-1] / 3])
    least = float(np.minimum(late, lately(visits.recorded_separation, thresholds)))
    if not least >= thresholds.dominated_separation or mostly(covers(visits, thresholds), thresholds):
        return None
    return f"separation {least:.2f} since the first third, {describe(visits, thresholds)}"


def partly_collapsed(course: Course, thresholds: Thresholds) -> str | None:
    """Recognisable samples, but only of some of the modes, lost or never had."""
    visits = course.visits
    if not mostly(some_modes(course, thresholds), thresholds):
        return None
    return f"only some modes: {describe(visits, thresholds)}, {describe_past(visits, thresholds)}"


def noise(course: Course, thresholds: Thresholds) -> str:
    """Nothing else holds."""
    visits = course.visits
    near = lately(visits.fid_excess, thresholds) <= thresholds.nearly_excess
    far = "not near the data"
    if near and far_from_training(course, thresholds):
        far = f"{lately(visits.distance, thresholds):.2f} times as far from training images as real ones are"
    return f"{far} and not gaining: {describe(visits, thresholds)}, {describe_past(visits, thresholds)}"


OUTCOME_RULES: tuple[tuple[Outcome, Rule], ...] = (
    (Outcome.DIVERGED, diverged),
    (Outcome.SATURATED, saturated_from_early_on),
    (Outcome.COLLAPSED, collapsed_wholly),
    (Outcome.DIVERGED, exploded_at_the_end),
    (Outcome.SATURATED, saturated_at_the_end),
    (Outcome.STABLE, stable),
    (Outcome.NEARLY_STABLE, nearly_stable),
    (Outcome.OSCILLATING, oscillating),
    (Outcome.LEARNING, learning),
    (Outcome.COLLAPSED, collapsed),
    (Outcome.DOMINATED, dominated),
    (Outcome.PARTIAL_COLLAPSE, partly_collapsed),
    (Outcome.NOISE, noise),
)


def lost_for_good(visits: Visits, thresholds: Thresholds) -> Stretch | None:
    """Give the stretch to the end in which a run that had been good has lost modes or diversity."""
    return last_stretch(states(visits, thresholds) == State.COLLAPSED)


def collapse_at_the_end(course: Course, thresholds: Thresholds) -> Stretch | None:
    """Give the stretch to the end that makes a run (partly) collapsed; None where its outcome is another."""
    outcome, _ = decide(course, thresholds)
    visits = course.visits
    if outcome is Outcome.COLLAPSED:
        return _since(one_image(visits, thresholds), thresholds)
    if outcome is Outcome.PARTIAL_COLLAPSE:
        return _since(some_modes(course, thresholds), thresholds)
    return None


def _since(mask: Mask, thresholds: Thresholds) -> Stretch:
    """From where on a state holds in which the last visits are by their median, an odd last one included."""
    lately_so = [s.start for s in stretches(steady(mask)) if s.stop > len(mask) - thresholds.persist]
    return Stretch(lately_so[0] if lately_so else len(mask) - 1, len(mask))


def _one_image(course: Course, thresholds: Thresholds, bar: float) -> str | None:
    visits = course.visits
    if not len(visits) or not lately(visits.diversity, thresholds) < bar or not visits.step[-1]:
        return None
    return f"one image for every z: {describe(visits, thresholds)}, {describe_past(visits, thresholds)}"


def _reached(course: Course, thresholds: Thresholds, excess: float, modes: float) -> str | None:
    visits = course.visits
    known = len(visits) and np.isfinite([visits.precision[-1], visits.diversity[-1]]).all()
    near = lately(visits.fid_excess, thresholds) <= excess
    covered = lately(visits.modes_share, thresholds) >= modes
    precise = lately(visits.precision, thresholds) >= thresholds.lost_precision
    varied = lately(visits.diversity, thresholds) >= thresholds.lost_diversity
    seen = not far_from_training(course, thresholds)
    reached = all((known, near, covered, precise, varied, seen))
    if not reached or _on_the_way(visits, thresholds):
        return None
    return describe(visits, thresholds)


def _on_the_way(visits: Visits, thresholds: Thresholds) -> bool:
    settled = (visits.fid_excess[-thresholds.persist :] <= thresholds.nearly_excess).all()
    recalled = lately(visits.recall, thresholds) >= thresholds.nearly_recall
    return not (settled and recalled) and gains(visits, thresholds)

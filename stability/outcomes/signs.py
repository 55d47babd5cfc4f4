"""What events and outcomes both read off a run: good and lost, saturated, swinging, gaining, stretches.

A state is that of the last `persist` visits, by their median, so that one odd visit decides nothing. Every
comparison asks for a finite number: one that is not finite never makes a visit good, never keeps it good, and
never proves saturation.
"""

from __future__ import annotations

import math
from dataclasses import replace
from enum import IntEnum
from statistics import median
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from stability.outcomes.course import Course, Floats, Ints, Visits
from stability.spec.thresholds import Thresholds

Mask = Bool[np.ndarray, "n"]

WORSE = 1.5
"""How many times as far from real ones as before samples are that show an explosion."""
TREND_VISITS = 3
"""Fewest visits from which a trend can be told."""
SMOOTH_RECORDS = 7
"""Records whose median is the recorded separation."""


class State(IntEnum):
    """Where a run stands at a visit: a Schmitt trigger, so that noise about one threshold does not count."""

    NEW = 0
    """Not good yet."""
    GOOD = 1
    FADED = 2
    """Was good, then lost its precision; modes and diversity are kept."""
    COLLAPSED = 3
    """Was good, then lost modes or diversity."""


class Stretch(NamedTuple):
    """Consecutive indices start, ..., stop - 1."""

    start: int
    stop: int


def at_least(values: Floats, bar: float) -> Mask:
    """Tell where values are finite and not below the bar."""
    mask: Mask = np.isfinite(values) & (values >= bar)
    return mask


def below(values: Floats, bar: float) -> Mask:
    """Tell where values are finite and below the bar."""
    mask: Mask = np.isfinite(values) & (values < bar)
    return mask


def counts_modes(visits: Visits, thresholds: Thresholds) -> bool:
    """Tell whether labels rest on modes: not where the data have one class or none."""
    return "modes" in thresholds.measures and bool((visits.n_modes > 1).any())


def measured(course: Course, thresholds: Thresholds) -> Course:
    """Give measures that labels do not rest on a perfect generator's values, so that they decide nothing."""
    return replace(course, visits=measured_visits(course.visits, thresholds))


def measured_visits(visits: Visits, thresholds: Thresholds) -> Visits:
    """The same of visits alone."""
    ones, zeros = np.ones(len(visits)), np.zeros(len(visits))
    perfect: dict[str, Floats | Ints] = {}
    if not counts_modes(visits, thresholds):
        perfect["modes"] = perfect["n_modes"] = np.ones(len(visits), dtype=np.int64)
    if "precision" not in thresholds.measures:
        perfect["precision"] = perfect["recall"] = perfect["distance"] = ones
    if "diversity" not in thresholds.measures:
        perfect["diversity"] = ones
    if "fid" not in thresholds.measures:
        perfect["fid_excess"] = zeros
    return replace(visits, **perfect)


def lately(values: Floats, thresholds: Thresholds) -> float:
    """What is usual of the last `persist` values."""
    return usual(values[-thresholds.persist :])


def usual(values: Floats) -> float:
    """Median of what is finite; NaN where half of the values or more are not."""
    finite = [value for value in values.tolist() if math.isfinite(value)]
    return float(median(finite)) if 2 * len(finite) > len(values) else math.nan


def mostly(mask: Mask, thresholds: Thresholds) -> bool:
    """Tell whether something holds at most of the last `persist` visits."""
    last = mask[-thresholds.persist :]
    return 2 * int(last.sum()) > len(last)


def steady(mask: Mask) -> Mask:
    """Fill each single gap: what holds at the visits before and after held in between."""
    filled = mask.copy()
    if len(mask) > 2:
        filled[1:-1] |= mask[:-2] & mask[2:]
    return filled


def close(visits: Visits, thresholds: Thresholds) -> Mask:
    """Tell at which visits samples are as near real ones and as varied as `nearly_stable` asks."""
    mask: Mask = visits.fid_excess <= thresholds.nearly_excess
    mask &= at_least(visits.precision, thresholds.lost_precision)
    mask &= at_least(visits.diversity, thresholds.lost_diversity)
    return mask


def saturated(visits: Visits, thresholds: Thresholds) -> Mask:
    """Tell at which visits the discriminator is perfect and a network has stopped moving, or both have.

    Both may have arrived: that is no failure where the samples are near real ones.
    """
    generator = below(visits.generator_update, thresholds.saturated_update)
    discriminator = below(visits.discriminator_update, thresholds.saturated_update)
    perfect = at_least(visits.separation, thresholds.saturated_separation)
    mask: Mask = (perfect & (generator | discriminator)) | (generator & discriminator)
    mask &= ~(generator & discriminator & close(visits, thresholds))
    return steady(mask)


def exploded(visits: Visits, thresholds: Thresholds) -> Mask:
    """Tell at which visits a loss has grown out of all proportion and the samples show it.

    Once a loss has leapt so far, they show it as long as they are `WORSE` times as far from real ones as
    before.
    """
    known = visits.loss[np.isfinite(visits.loss)]
    if not len(known):
        return np.zeros(len(visits), dtype=bool)
    bar = thresholds.explosion * max(1.0, float(known[0]))
    leapt = visits.peak_loss > bar
    before = np.where(np.cumsum(leapt), np.nan, visits.fid_excess)
    best = np.nanmin(before) if np.isfinite(before).any() else np.nan
    still = np.cumsum(leapt).astype(bool) & (visits.fid_excess / WORSE > best)
    mask: Mask = ((visits.loss > bar) | still) & ~close(visits, thresholds)
    return mask


def dominated(visits: Visits, thresholds: Thresholds) -> Mask:
    """Tell at which visits the discriminator tells (nearly) all apart, of samples far from real ones.

    Where half of the modes are covered, not all is lost.
    """
    perfect = at_least(visits.recorded_separation, thresholds.dominated_separation)
    mask: Mask = perfect & ~close(visits, thresholds) & ~covers(visits, thresholds)
    return mask


def covers(visits: Visits, thresholds: Thresholds) -> Mask:
    """Tell at which visits `good_modes` are covered; where modes are not counted none are known to be."""
    return at_least(visits.modes_share, thresholds.good_modes) & counts_modes(visits, thresholds)


def states(visits: Visits, thresholds: Thresholds) -> Ints:
    """Follow the state of a run from visit to visit.

    It is good from `good_precision` and `good_modes` on if nothing counts as lost; once good, it stays so
    until something is lost; once lost, until it is good again.
    """
    shrunk = ~at_least(visits.diversity, thresholds.lost_diversity)
    shrunk |= ~(visits.modes_share > thresholds.lost_modes)
    blurred = ~at_least(visits.precision, thresholds.lost_precision)
    good = at_least(visits.precision, thresholds.good_precision)
    good &= at_least(visits.modes_share, thresholds.good_modes) & ~shrunk & ~blurred
    path = []
    state = State.NEW
    for is_good, is_shrunk, is_blurred in zip(good.tolist(), shrunk.tolist(), blurred.tolist(), strict=True):
        state = _next(state, is_good=is_good, is_shrunk=is_shrunk, is_blurred=is_blurred)
        path.append(state)
    return np.array(path, dtype=np.int64)


def one_image(visits: Visits, thresholds: Thresholds) -> Mask:
    """Tell where nearly the same is drawn for every z; an untrained network (step 0) does not count."""
    return below(visits.diversity, thresholds.collapsed_diversity) & (visits.step > 0)


def some_modes(course: Course, thresholds: Thresholds) -> Mask:
    """Tell where samples are recognisable, but only of some of the modes."""
    visits = course.visits
    mask: Mask = (visits.modes_share < thresholds.nearly_modes) & (visits.modes > 0)
    if course.of_points:
        mask &= at_least(visits.precision, thresholds.recognisable_precision)
    else:
        mask &= visits.distance <= thresholds.recognisable_distance
    return mask


def far_from_training(course: Course, thresholds: Thresholds) -> bool:
    """Tell whether images are lately too far from training ones for one to see what they are meant to be.

    FID does not tell that: strokes without speckles that are no digits are near digits by its features.
    """
    return not course.of_points and lately(course.visits.distance, thresholds) > thresholds.nearly_distance


def swings(course: Course, thresholds: Thresholds) -> Ints:
    """List the steps in the last two thirds by which the recorded separation fell or rose by `swing`."""
    step = np.array([record.step for record in course.records], dtype=np.int64)
    separation = np.array([record.separation for record in course.records], dtype=np.float64)
    if len(step) < SMOOTH_RECORDS:
        return step[:0]
    windows = np.lib.stride_tricks.sliding_window_view(separation, SMOOTH_RECORDS)
    smooth, middle = np.median(windows, axis=1), step[SMOOTH_RECORDS // 2 :][: len(windows)]
    looked_at = np.isfinite(smooth) & (middle > step[-1] / 3)
    turned: Ints = middle[looked_at][_turns(smooth[looked_at].tolist(), thresholds.swing)]
    return turned


def gains(visits: Visits, thresholds: Thresholds) -> bool:
    """Tell whether new ground is gained that would soon be good enough.

    The line of the FID excess over the last third of the visits ends at most at `new_ground` of the best of
    the `persist` visits before the last `persist`, and going on would be nearly stable within
    `learning_horizon` times the steps so far. Without FID nothing is known of that.
    """
    before = visits.fid_excess[: -thresholds.persist][-thresholds.persist :]
    known = before[np.isfinite(before)]
    slope, now = excess_line(visits)
    if "fid" not in thresholds.measures or not len(known) or not slope < 0:
        return False
    ground = thresholds.new_ground * float(known.min())
    to_go = (now - math.log(thresholds.nearly_excess)) / -slope
    gained = ground > 0 and now <= math.log(ground)
    return gained and to_go <= thresholds.learning_horizon * float(visits.step[-1])


def excess_line(visits: Visits) -> tuple[float, float]:
    """Slope per step of the least-squares line of the log FID excess over the last third, and its end.

    The end is the log FID excess that the line has at the last visit. Both are NaN where that cannot be told:
    fewer than 3 visits, or an excess that is not positive and finite.
    """
    window = max(TREND_VISITS, math.ceil(len(visits) / 3))
    with np.errstate(divide="ignore", invalid="ignore"):
        log_excess = np.log(visits.fid_excess[-window:])
    step = visits.step[-window:].astype(np.float64)
    if len(step) < window or step[0] == step[-1] or not np.isfinite(log_excess).all():
        return math.nan, math.nan
    centred = step - step.mean()
    slope = float((centred @ log_excess) / (centred @ centred))
    return slope, float(log_excess.mean()) + slope * float(centred[-1])


def lost_at(path: Ints) -> list[int]:
    """List the visits at which a run that was good at the visit before is lost."""
    lost = (path[:-1] == State.GOOD) & (path[1:] != State.GOOD)
    return [int(i) + 1 for i in np.flatnonzero(lost)]


def stretches(mask: Mask, shortest: int = 1) -> list[Stretch]:
    """List the maximal runs of true entries that have at least `shortest` of them."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    found = (Stretch(int(start), int(stop)) for start, stop in edges.reshape(-1, 2))
    return [stretch for stretch in found if stretch.stop - stretch.start >= shortest]


def last_stretch(mask: Mask, shortest: int = 1) -> Stretch | None:
    """Give the stretch that reaches the end, if one does."""
    found = stretches(mask, shortest)
    return found[-1] if found and found[-1].stop == len(mask) else None


def _next(state: State, *, is_good: bool, is_shrunk: bool, is_blurred: bool) -> State:
    if is_good:
        return State.GOOD
    if state is State.NEW:
        return State.NEW
    if is_shrunk:
        return State.COLLAPSED
    return State.FADED if state is State.GOOD and is_blurred else state


def _turns(values: list[float], swing: float) -> list[int]:
    """Places at which values are `swing` away from their last extreme, the other way than the time before."""
    turned: list[int] = []
    low, high, way = math.inf, -math.inf, 0
    for place, value in enumerate(values):
        low, high = min(low, value), max(high, value)
        now = -1 if high - value >= swing else 1 if value - low >= swing else 0
        if now not in (0, way):
            turned.append(place)
            low, high, way = value, value, now
    return turned

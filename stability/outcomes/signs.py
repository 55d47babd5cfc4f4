"""What events and outcomes both read off the visits: saturation, good and lost, stretches, progress.

Every comparison asks for a finite number: one that is not finite never makes a visit good, never keeps it
good, and never proves saturation.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from stability.outcomes.course import Floats, Ints, Visits
from stability.spec.thresholds import Thresholds

Mask = Bool[np.ndarray, "n"]

PROGRESS_VISITS = 3
"""Fewest visits from which progress can be told."""


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


def saturated(visits: Visits, thresholds: Thresholds) -> Mask:
    """Tell at which visits the discriminator is perfect and one of the networks has stopped moving."""
    stuck: Mask = below(visits.generator_update, thresholds.saturated_update) | below(
        visits.discriminator_update, thresholds.saturated_update
    )
    stuck &= at_least(visits.separation, thresholds.saturated_separation)
    return stuck


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


def progress_window(visits: Visits) -> int:
    """Give the number of visits over which progress is measured: the last third of them, at least 3."""
    return max(PROGRESS_VISITS, math.ceil(len(visits) / 3))


def fid_fall(visits: Visits) -> float:
    """Measure by how much log FID falls along its least-squares line over the last third of the visits.

    NaN where that cannot be told: fewer than 3 visits, or a FID among them that is not positive and finite.
    """
    window = progress_window(visits)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_fid = np.log(visits.fid_ratio[-window:])
    step = visits.step[-window:].astype(np.float64)
    if len(step) < window or step[0] == step[-1] or not np.isfinite(log_fid).all():
        return math.nan
    centred = step - step.mean()
    return float(-(centred @ log_fid) / (centred @ centred) * (step[-1] - step[0]))


def progresses(visits: Visits, thresholds: Thresholds) -> bool:
    """Tell whether log FID is known to fall still."""
    return fid_fall(visits) >= thresholds.progress


def stillborn(visits: Visits, thresholds: Thresholds) -> Stretch | None:
    """Give the stretch of low diversity in which a run that was never good ended without progress.

    Early on nearly every run looks like one mode, so this says nothing before the last visit: the stretch
    has to last `persist` visits and reach the end. An untrained network (a visit at step 0) is no part of it.
    """
    low = below(visits.diversity, thresholds.collapsed_diversity) & (visits.step > 0)
    found = last_stretch(low, thresholds.persist)
    never_good = not (states(visits, thresholds) != State.NEW).any()
    return found if never_good and not progresses(visits, thresholds) else None


def _next(state: State, *, is_good: bool, is_shrunk: bool, is_blurred: bool) -> State:
    if is_good:
        return State.GOOD
    if state is State.NEW:
        return State.NEW
    if is_shrunk:
        return State.COLLAPSED
    return State.FADED if state is State.GOOD and is_blurred else state

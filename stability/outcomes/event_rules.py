"""When each kind of event begins and when it is over. Imports only numpy, `records` and `spec`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from stability.outcomes.course import Course, Floats, Visits, course_of
from stability.outcomes.outcome_rules import collapse_at_the_end
from stability.outcomes.signs import (
    Mask,
    State,
    Stretch,
    below,
    dominated,
    exploded,
    last_stretch,
    measured,
    saturated,
    states,
    steady,
    stretches,
    swings,
)
from stability.outcomes.wording import describe_modes, describe_saturation
from stability.records import Event, EventKind, History
from stability.spec.thresholds import Thresholds

SPIKE_WINDOW = 20
"""Records before the present one whose median |loss| a spike is compared with."""
SPIKE_FLOOR = 0.1
"""That median is taken to be at least this, so that tiny losses (a perfect discriminator's) do not spike."""


class Sighting(NamedTuple):
    """An event as its rule finds it: steps and evidence."""

    onset: int
    recovery: int | None
    evidence: str


Rule = Callable[[Course, Thresholds], Iterator[Sighting]]


def events(history: History, thresholds: Thresholds) -> tuple[Event, ...]:
    """List everything that happened in a run before its first non-finite number, by onset."""
    return course_events(course_of(history), thresholds)


def course_events(course: Course, thresholds: Thresholds) -> tuple[Event, ...]:
    """List the events of a run whose visits are already derived."""
    looked_at = measured(course, thresholds)
    good = looked_at.visits.step[states(looked_at.visits, thresholds) == State.GOOD]
    found = [
        Event(
            course.run,
            kind,
            *sighting,
            provisional=_is_provisional(sighting, course, thresholds),
            never_good=not (good < sighting.onset).any(),
        )
        for kind, rule in EVENT_RULES.items()
        for sighting in rule(looked_at, thresholds)
    ]
    return tuple(sorted(found, key=lambda event: event.onset))


def collapse(course: Course, thresholds: Thresholds) -> Iterator[Sighting]:
    """Find each loss of modes or diversity after being good, and what a (partly) collapsed run ends with."""
    visits = course.visits
    lost = stretches(states(visits, thresholds) == State.COLLAPSED)
    for stretch in lost:
        yield _sighting(visits, stretch, f"was good, then {describe_modes(visits, stretch.start)}")
    final = collapse_at_the_end(course, thresholds)
    start = max(final.start if final else len(visits), lost[-1].stop if lost else 0)
    if start < len(visits):
        yield _sighting(visits, Stretch(start, len(visits)), f"{describe_modes(visits, start)} from here on")


def saturation(course: Course, thresholds: Thresholds) -> Iterator[Sighting]:
    """Find where a perfect discriminator and a stopped network last `persist` visits, or two stopped ones."""
    for stretch in stretches(saturated(course.visits, thresholds), thresholds.persist):
        evidence = describe_saturation(course.visits, stretch.start, thresholds)
        yield _sighting(course.visits, stretch, evidence)


def domination(course: Course, thresholds: Thresholds) -> Iterator[Sighting]:
    """Find where the discriminator tells nearly all apart for `persist` visits after the first third.

    Early on nearly every discriminator does.
    """
    visits = course.visits
    mask = steady(dominated(visits, thresholds))
    if len(visits):
        mask &= visits.step > visits.step[-1] / 3
    for stretch in stretches(mask, thresholds.persist):
        start = stretch.start
        evidence = (
            f"separation {visits.recorded_separation[start]:.2f}, precision {visits.precision[start]:.2f}"
        )
        yield _sighting(visits, stretch, evidence)


def oscillation(course: Course, thresholds: Thresholds) -> Iterator[Sighting]:
    """Find where the two networks began to take turns in winning."""
    turned = swings(course, thresholds)
    if len(turned) >= thresholds.swings:
        yield Sighting(int(turned[0]), None, f"separation swings {len(turned)} times from here on")


def explosion(course: Course, thresholds: Thresholds) -> Iterator[Sighting]:
    """Find where the losses have grown out of all proportion and the samples with them."""
    visits = course.visits
    for stretch in stretches(steady(exploded(visits, thresholds))):
        yield _sighting(visits, stretch, f"losses of {visits.loss[stretch.start]:.3g}")


def discriminator_fooled(course: Course, thresholds: Thresholds) -> Iterator[Sighting]:
    """Find where the discriminator prefers the samples for `persist` visits."""
    visits = course.visits
    fooled = below(visits.separation, thresholds.fooled_separation)
    for stretch in stretches(fooled, thresholds.persist):
        yield _sighting(visits, stretch, f"separation {visits.separation[stretch.start]:.2f}")


def loss_spike(course: Course, thresholds: Thresholds) -> Iterator[Sighting]:
    """Find where a loss leaps far above its running median; over at the next record without one."""
    step = [record.step for record in course.records]
    loss = {
        "loss_d": np.array([record.loss_d for record in course.records], dtype=np.float64),
        "loss_g": np.array([record.loss_g for record in course.records], dtype=np.float64),
    }
    median = {name: _running_median(np.abs(values)) for name, values in loss.items()}
    with np.errstate(over="ignore"):
        spikes = {name: np.abs(loss[name]) / thresholds.spike_factor > median[name] for name in loss}
    for start, stop in stretches(spikes["loss_d"] | spikes["loss_g"]):
        name = "loss_d" if spikes["loss_d"][start] else "loss_g"
        evidence = f"{name} {loss[name][start]:.3g} where its running median is {median[name][start]:.3g}"
        yield Sighting(step[start], step[stop] if stop < len(step) else None, evidence)


def mode_dropping(course: Course, thresholds: Thresholds) -> Iterator[Sighting]:
    """Find where modes fall below their running maximum, once good, for `persist` visits or to the end.

    Over when at most one is missing (none, where `dropped_modes` is 1).
    """
    visits = course.visits
    most = np.maximum.accumulate(visits.modes)
    ever_good = states(visits, thresholds) != State.NEW
    missing = most - visits.modes
    mask = _latch(ever_good & (missing >= thresholds.dropped_modes), missing <= 1)
    open_end = last_stretch(mask)
    for stretch in stretches(mask):
        if stretch.stop - stretch.start >= thresholds.persist or stretch == open_end:
            evidence = f"{visits.modes[stretch.start]} modes after {most[stretch.start]}"
            yield _sighting(visits, stretch, evidence)


def latent_ignored(course: Course, thresholds: Thresholds) -> Iterator[Sighting]:
    """Find where all samples look the same for `persist` visits."""
    visits = course.visits
    same = below(visits.diversity, thresholds.latent_ignored_diversity)
    for stretch in stretches(same, thresholds.persist):
        yield _sighting(visits, stretch, f"diversity {visits.diversity[stretch.start]:.2g}")


EVENT_RULES: Mapping[EventKind, Rule] = MappingProxyType(
    {
        EventKind.COLLAPSE: collapse,
        EventKind.SATURATION: saturation,
        EventKind.DOMINATION: domination,
        EventKind.OSCILLATION: oscillation,
        EventKind.EXPLOSION: explosion,
        EventKind.DISCRIMINATOR_FOOLED: discriminator_fooled,
        EventKind.LOSS_SPIKE: loss_spike,
        EventKind.MODE_DROPPING: mode_dropping,
        EventKind.LATENT_IGNORED: latent_ignored,
    }
)


def _sighting(visits: Visits, stretch: Stretch, evidence: str) -> Sighting:
    recovery = int(visits.step[stretch.stop]) if stretch.stop < len(visits) else None
    return Sighting(int(visits.step[stretch.start]), recovery, evidence)


def _is_provisional(sighting: Sighting, course: Course, thresholds: Thresholds) -> bool:
    """Tell whether fewer than `persist` visits have been made from the onset on."""
    return int((course.visits.step >= sighting.onset).sum()) < thresholds.persist


def _running_median(values: Floats) -> Floats:
    """Median over the window before each value, not below the floor; NaN before there is a full window."""
    medians = np.full(len(values), np.nan)
    if len(values) > SPIKE_WINDOW:
        windows = np.lib.stride_tricks.sliding_window_view(values[:-1], SPIKE_WINDOW)
        with np.errstate(over="ignore"):
            medians[SPIKE_WINDOW:] = np.maximum(np.median(windows, axis=1), SPIKE_FLOOR)
    return medians


def _latch(on: Mask, off: Mask) -> Mask:
    """Switch on where `on` holds, else off where `off` does; elsewhere stay."""
    held = np.zeros(len(on), dtype=bool)
    state = False
    for i in range(len(on)):
        state = bool(on[i]) or (state and not off[i])
        held[i] = state
    return held

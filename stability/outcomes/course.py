"""A run as the rules read it: everything before its first non-finite number, and the table of its visits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from stability.records import Divergence, Evaluation, History, Record

Floats = Float[np.ndarray, "visits"]
Ints = Int[np.ndarray, "visits"]

POINTS = "points"
"""Whose features the evaluations of points have."""
POINT_SHARE, NEAR_POINTS = 0.5, 0.05
"""A mode of points is covered from this part of an even share on, if this share of all is near real ones."""
RECORDED = ("loss_d", "loss_g", "generator_update", "discriminator_update")
"""The numbers of a record that are finite as long as training is."""


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """The evaluations of one run in order of their steps, each with the training that led to it.

    Updates, loss and recorded separation are medians over the records in (previous visit, this visit], NaN
    where there is none.
    """

    step: Ints
    precision: Floats
    recall: Floats
    modes: Ints
    """As `covered_modes` counts them."""
    n_modes: Ints
    diversity: Floats
    separation: Floats
    recorded_separation: Floats
    """The visit's own where no record tells."""
    fid_excess: Floats
    distance: Floats
    """To the nearest training images, relative to held-out ones: `Evaluation.memorisation`."""
    generator_update: Floats
    discriminator_update: Floats
    loss: Floats
    """The larger of |loss_d| and |loss_g|, of those that are known."""
    peak_loss: Floats
    """The same at its largest since the visit before."""

    def __len__(self) -> int:
        return len(self.step)

    def first(self, n: int) -> Visits:
        """The first n visits."""
        return Visits(**{column.name: getattr(self, column.name)[:n] for column in fields(self)})

    @property
    def modes_share(self) -> Floats:
        """Modes covered over modes there are."""
        with np.errstate(all="ignore"):
            share: Floats = self.modes / self.n_modes
        return share


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """One run up to, and without, its first non-finite number."""

    run: str
    divergence: Divergence | None
    records: tuple[Record, ...]
    visits: Visits
    of_points: bool = False
    """Whether the samples are points, not images."""


def course_of(history: History) -> Course:
    """Derive what the rules read; what follows a divergence is no evidence of anything else."""
    divergence = first_divergence(history)
    end = math.inf if divergence is None else divergence.step
    records = tuple(sorted((r for r in history.records if r.step < end), key=lambda r: r.step))
    evaluations = sorted((e for e in history.evaluations if e.step < end), key=lambda e: e.step)
    of_points = any(evaluation.features == POINTS for evaluation in evaluations)
    return Course(history.run, divergence, records, _visits(evaluations, records), of_points)


def covered_modes(
    features: str, modes: int, n_modes: int, precision: float, class_shares: Iterable[float]
) -> int:
    """The modes of one evaluation that labels rest on: those it counts, but of points by where all lie.

    Few points are so near to a centre that they could tell, which is what `Evaluation.modes` asks for.
    """
    if features != POINTS:
        return modes
    covered = sum(share * n_modes >= POINT_SHARE for share in class_shares)
    return covered if precision >= NEAR_POINTS else 0


def first_divergence(history: History) -> Divergence | None:
    """Find the first step at which anything was not finite.

    Samples that are not finite show in the classifier's confidence, which is finite for all others
    (a metric may be NaN because it cannot be computed from finite samples: that is no divergence).
    """
    return min(_divergences(history), key=lambda found: found.step, default=None)


def until(history: History, horizon: int) -> History:
    """Cut a history to what was known at step `horizon`."""
    divergence = history.divergence
    return replace(
        history,
        records=tuple(record for record in history.records if record.step <= horizon),
        evaluations=tuple(evaluation for evaluation in history.evaluations if evaluation.step <= horizon),
        divergence=divergence if divergence is not None and divergence.step <= horizon else None,
        last_step=min(history.last_step, horizon),
    )


def _divergences(history: History) -> Iterator[Divergence]:
    if history.divergence is not None:
        yield history.divergence
    for record in history.records:
        for name in RECORDED:
            value = getattr(record, name)
            if value is not None and not math.isfinite(value):
                yield Divergence(record.step, name)
    for evaluation in history.evaluations:
        if not math.isfinite(evaluation.classifier_confidence):
            yield Divergence(evaluation.step, "fake")


def _visits(evaluations: Sequence[Evaluation], records: Sequence[Record]) -> Visits:
    def floats(read: Callable[[Evaluation], float]) -> Floats:
        return np.array([read(evaluation) for evaluation in evaluations], dtype=np.float64)

    def ints(read: Callable[[Evaluation], int]) -> Ints:
        return np.array([read(evaluation) for evaluation in evaluations], dtype=np.int64)

    step = ints(lambda e: e.step)
    losses = [_larger_loss(record) for record in records]
    separation = floats(lambda e: e.separation)
    ends = np.searchsorted(np.array([record.step for record in records], dtype=np.int64), step, side="right")
    recorded = _medians([record.separation for record in records], ends)
    return Visits(
        step=step,
        precision=floats(lambda e: e.precision),
        recall=floats(lambda e: e.recall),
        modes=ints(lambda e: covered_modes(e.features, e.modes, e.n_modes, e.precision, e.class_shares)),
        n_modes=ints(lambda e: e.n_modes),
        diversity=floats(lambda e: e.diversity),
        separation=separation,
        recorded_separation=np.where(np.isnan(recorded), separation, recorded),
        fid_excess=floats(lambda e: e.fid_excess),
        distance=floats(lambda e: e.memorisation),
        generator_update=_medians([record.generator_update for record in records], ends),
        discriminator_update=_medians([record.discriminator_update for record in records], ends),
        loss=_medians(losses, ends),
        peak_loss=_by_visit(losses, ends, np.max),
    )


def _larger_loss(record: Record) -> float | None:
    known = [abs(loss) for loss in (record.loss_d, record.loss_g) if loss is not None]
    return max(known, default=None)


def _medians(values: Sequence[float | None], ends: Ints) -> Floats:
    return _by_visit(values, ends, np.median)


def _by_visit(values: Sequence[float | None], ends: Ints, summary: Callable[..., Any]) -> Floats:
    """Summary of what is known of values[previous end:end] for each end; NaN where nothing is."""
    summaries = np.full(len(ends), np.nan)
    starts = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
    with np.errstate(over="ignore"):
        for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
            known = [value for value in values[start:end] if value is not None]
            if known:
                summaries[i] = summary(known)
    return summaries

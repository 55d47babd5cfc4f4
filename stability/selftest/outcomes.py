"""The outcome rules on runs whose course is planted in images.

Real training images stand for a good generator's samples, until something known happens to them at a known
visit. Every visit is evaluated as in a study, and the label and the onset have to be the planted ones. As in
a study, a generator that does not change makes the same samples at each visit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from stability.gan.data.datasets import Dataset, to_unit
from stability.outcomes import label
from stability.records import Evaluation, EventKind, History, Outcome, Record, RunResult
from stability.selftest.bench import Bench
from stability.selftest.check import Finding, Question
from stability.spec.thresholds import Thresholds

VISITS, SPACING, RECORD_EVERY = 8, 250, 50
SAMPLES, SEED = 512, 8
FROZEN_UPDATE, HEALTHY = 0.0, 0.5
"""Relative updates: none, and any that training makes; also what every other number of a record is."""
COARSE = 4
"""Random numbers on a side of smooth noise."""
GOOD_SHARES = (0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4)
"""Shares of good samples in the course of a generator that learns: too few at the end to be stable."""
SOON_GOOD_SHARES = (*[0.05] * 5, 0.3, 0.85, 0.95)
"""The same where there are enough at the end."""

Images = Float[Tensor, "n 1 28 28"]
Sample = Callable[[Dataset, torch.Generator], Images]
"""What the generator makes at a visit."""


def real_images(dataset: Dataset, generator: torch.Generator, *, without: Sequence[int] = ()) -> Images:
    """Different training images of all classes but some."""
    kept = torch.ones(len(dataset.train), dtype=torch.bool)
    for digit in without:
        kept &= dataset.train_labels.cpu() != digit
    allowed = kept.nonzero()[:, 0]
    rows = allowed[torch.randperm(len(allowed), generator=generator)[:SAMPLES]]
    return to_unit(dataset.train[rows.to(dataset.train.device)])


def one_image(dataset: Dataset, generator: torch.Generator) -> Images:
    """The same training image again and again."""
    return to_unit(dataset.train[:1]).expand(SAMPLES, -1, -1, -1)


def blobs(dataset: Dataset, generator: torch.Generator, *, good: float = 0.0) -> Images:
    """Smooth noise, as of a generator that has learned nothing; a share of the samples may be good."""
    coarse = torch.randn(SAMPLES, 1, COARSE, COARSE, generator=generator)
    smooth = interpolate(coarse, size=dataset.train.shape[-2:], mode="bilinear").clamp(-1, 1)
    images = smooth.to(dataset.train.device)
    n_good = round(good * SAMPLES)
    return torch.cat([real_images(dataset, generator)[:n_good], images[n_good:]])


def not_a_number(dataset: Dataset, generator: torch.Generator) -> Images:
    """Good samples but for a single pixel."""
    images = real_images(dataset, generator)
    images[0, 0, 0, 0] = math.nan
    return images


@dataclass(frozen=True, slots=True)
class Visit:
    """What is planted at one visit, and in the records since the visit before."""

    sample: Sample = real_images
    update: float = HEALTHY
    """Both networks' relative updates."""
    loss: float = HEALTHY
    """Both networks' losses."""
    winning: float = HEALTHY
    """The recorded separation."""
    perfect: bool = False
    """Whether the discriminator tells all real images from all samples; else it is little above chance."""


def step_of(visit: int) -> int:
    """The training step of a visit, counted from 0."""
    return (visit + 1) * SPACING


def first_record_of(visit: int) -> int:
    """The step of the first record after the visit before."""
    return visit * SPACING + RECORD_EVERY


@dataclass(frozen=True, slots=True)
class Course:
    """A planted run, and what the rules have to make of it."""

    visits: tuple[Visit, ...]
    outcome: Outcome
    event: EventKind | None = None
    """The kind of event that is looked for; without one, no event of any kind may be found."""
    onsets: tuple[int, ...] = ()
    """The steps at which that event begins; without an event, at which a divergence is seen."""


GOOD, SAME_IMAGE, NAN, NOISE = Visit(), Visit(one_image), Visit(not_a_number), Visit(blobs)
FROZEN = Visit(blobs, update=FROZEN_UPDATE, perfect=True)
BEATEN = Visit(blobs, winning=1.0, perfect=True)
EXPLODED = Visit(blobs, loss=1e6)
UP, DOWN = Visit(blobs, winning=0.95), Visit(blobs, winning=0.05)
TWO_GONE = Visit(partial(real_images, without=(3, 8)))
SIX_GONE = Visit(partial(real_images, without=(0, 2, 3, 5, 8, 9)))
SOON_THERE = tuple(Visit(partial(blobs, good=share)) for share in SOON_GOOD_SHARES)
BETTER = tuple(Visit(partial(blobs, good=share)) for share in GOOD_SHARES)

COURSES: Mapping[str, Course] = MappingProxyType(
    {
        "stays good": Course((GOOD,) * 8, Outcome.STABLE),
        "collapses to one image": Course(
            (*(GOOD,) * 4, *(SAME_IMAGE,) * 4), Outcome.COLLAPSED, EventKind.COLLAPSE, (step_of(4),)
        ),
        "freezes, learning nothing": Course(
            (*(NOISE,) * 3, *(FROZEN,) * 5), Outcome.SATURATED, EventKind.SATURATION, (step_of(3),)
        ),
        "samples become NaN": Course((*(GOOD,) * 5, *(NAN,) * 3), Outcome.DIVERGED, None, (step_of(5),)),
        "losses explode": Course(
            (*(NOISE,) * 4, *(EXPLODED,) * 4), Outcome.DIVERGED, EventKind.EXPLOSION, (step_of(4),)
        ),
        "good, lost, good, lost at the last visit": Course(
            (GOOD, GOOD, SAME_IMAGE, GOOD, GOOD, GOOD, GOOD, SAME_IMAGE),
            Outcome.STABLE,
            EventKind.COLLAPSE,
            (step_of(2), step_of(7)),
        ),
        "the networks take turns": Course(
            (UP, DOWN) * 4, Outcome.OSCILLATING, EventKind.OSCILLATION, (first_record_of(3),)
        ),
        "forgets two classes": Course(
            (*(GOOD,) * 4, *(TWO_GONE,) * 4), Outcome.NEARLY_STABLE, EventKind.MODE_DROPPING, (step_of(4),)
        ),
        "forgets two, then six classes": Course(
            (*(GOOD,) * 3, TWO_GONE, TWO_GONE, *(SIX_GONE,) * 3),
            Outcome.PARTIAL_COLLAPSE,
            EventKind.COLLAPSE,
            (step_of(5),),
        ),
        "never draws six classes": Course(
            (SIX_GONE,) * 8, Outcome.PARTIAL_COLLAPSE, EventKind.COLLAPSE, (step_of(0),)
        ),
        "more and more samples are good": Course(BETTER, Outcome.LEARNING),
        "nearly all samples are good, but only just now": Course(SOON_THERE, Outcome.LEARNING),
        "is told from real at a glance": Course(
            (BEATEN,) * 8, Outcome.DOMINATED, EventKind.DOMINATION, (step_of(2),)
        ),
        "learns nothing": Course((NOISE,) * 8, Outcome.NOISE),
    }
)


def play(course: Course, bench: Bench) -> RunResult:
    """Evaluate every visit of a planted run, equal ones once, and label the run."""
    seen = [(visit.sample, visit.perfect) for visit in course.visits]
    found = {what: _evaluate(*what, bench) for what in dict.fromkeys(seen)}
    evaluations = tuple(replace(found[what], step=step_of(i)) for i, what in enumerate(seen))
    records = tuple(
        _record(step, course.visits[(step - 1) // SPACING])
        for step in range(RECORD_EVERY, VISITS * SPACING + 1, RECORD_EVERY)
    )
    history = History("planted", records, evaluations, None, last_step=VISITS * SPACING)
    return label(history, Thresholds(), horizon=VISITS * SPACING)


def _evaluate(sample: Sample, perfect: bool, bench: Bench) -> Evaluation:
    evaluator, generator = bench.evaluator("mnist"), torch.Generator().manual_seed(SEED)
    fake_logits = torch.randn(SAMPLES, generator=generator)
    real_logits = torch.randn(len(evaluator.held_out), generator=generator) + 0.5
    if perfect:
        real_logits, fake_logits = real_logits.abs() + 1, -fake_logits.abs() - 1
    return evaluator.evaluate(
        sample(evaluator.dataset, generator),
        run="planted",
        step=0,
        real_logits=real_logits,
        fake_logits=fake_logits,
    )


def _record(step: int, visit: Visit) -> Record:
    values: dict[str, Any] = {field.name: HEALTHY for field in fields(Record)}
    values |= {name: () for name in values if name.startswith("layer_")}
    named = {"run": "planted", "step": step, "separation": visit.winning}
    losses = {"loss_d": visit.loss, "loss_g": -visit.loss}
    updates = {"generator_update": visit.update, "discriminator_update": visit.update}
    return Record(**(values | named | losses | updates))


def planted(name: str, bench: Bench) -> Finding:
    """Label and onsets of a planted run."""
    course = COURSES[name]
    result = play(course, bench)
    onsets = [event.onset for event in result.events if course.event in {None, event.kind}]
    if course.event is None and result.divergence is not None:
        onsets = [result.divergence.step]
    wanted, found = _describe(course.outcome, course.onsets), _describe(result.outcome, onsets)
    return Finding(wanted, found, found == wanted)


def _describe(outcome: Outcome, onsets: Sequence[int]) -> str:
    steps = " and ".join(str(step) for step in onsets)
    return f"{outcome} from {steps}" if steps else f"{outcome}, no event"


QUESTIONS = tuple(Question(f"planted run: {name}", partial(planted, name)) for name in COURSES)

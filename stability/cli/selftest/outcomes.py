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

from stability.cli.selftest.bench import Bench
from stability.cli.selftest.check import Finding, Question
from stability.gan.data import Dataset, to_unit
from stability.outcomes import label
from stability.records import Evaluation, EventKind, History, Outcome, Record, RunResult
from stability.spec.thresholds import Thresholds

VISITS, SPACING, RECORD_EVERY = 8, 250, 50
SAMPLES, SEED = 512, 8
FROZEN_UPDATE, HEALTHY = 0.0, 0.5
"""Relative updates: none, and any that training makes; also what every other number of a record is."""

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


def static(dataset: Dataset, generator: torch.Generator) -> Images:
    """Noise, as of a generator that has learned nothing."""
    noise = 2 * torch.rand(SAMPLES, *dataset.train.shape[1:], generator=generator) - 1
    return noise.to(dataset.train.device)


def not_a_number(dataset: Dataset, generator: torch.Generator) -> Images:
    """Good samples but for a single pixel."""
    images = real_images(dataset, generator)
    images[0, 0, 0, 0] = math.nan
    return images


@dataclass(frozen=True, slots=True)
class Visit:
    """What is planted at one visit."""

    sample: Sample = real_images
    update: float = HEALTHY
    """Both networks' relative updates in the records since the visit before."""
    perfect: bool = False
    """Whether the discriminator tells all real images from all samples; else it is little above chance."""


@dataclass(frozen=True, slots=True)
class Course:
    """A planted run, and what the rules have to make of it."""

    visits: tuple[Visit, ...]
    outcome: Outcome
    event: EventKind | None = None
    onsets: tuple[int, ...] = ()
    """The visits, counted from 0, at which that event begins; of a divergence, where it is seen."""


GOOD, SAME_IMAGE, NAN = Visit(), Visit(one_image), Visit(not_a_number)
NOISE, FROZEN = Visit(static), Visit(static, update=FROZEN_UPDATE, perfect=True)
TWO_GONE = Visit(partial(real_images, without=(3, 8)))
FIVE_GONE = Visit(partial(real_images, without=(0, 2, 3, 5, 8)))

COURSES: Mapping[str, Course] = MappingProxyType(
    {
        "stays good": Course((GOOD,) * 8, Outcome.STABLE),
        "collapses to one image": Course(
            (*(GOOD,) * 4, *(SAME_IMAGE,) * 4), Outcome.COLLAPSED, EventKind.COLLAPSE, (4,)
        ),
        "freezes, learning nothing": Course(
            (*(NOISE,) * 3, *(FROZEN,) * 5), Outcome.SATURATED, EventKind.SATURATION, (3,)
        ),
        "samples become NaN": Course((*(GOOD,) * 5, *(NAN,) * 3), Outcome.DIVERGED, None, (5,)),
        "good, lost, good, lost, good": Course(
            (GOOD, GOOD, SAME_IMAGE, GOOD, GOOD, SAME_IMAGE, GOOD, GOOD),
            Outcome.OSCILLATING,
            EventKind.COLLAPSE,
            (2, 5),
        ),
        "forgets two, then five classes": Course(
            (*(GOOD,) * 4, TWO_GONE, TWO_GONE, FIVE_GONE, FIVE_GONE),
            Outcome.DEGRADED,
            EventKind.MODE_DROPPING,
            (4,),
        ),
    }
)


def step_of(visit: int) -> int:
    """The training step of a visit."""
    return (visit + 1) * SPACING


def play(course: Course, bench: Bench) -> RunResult:
    """Evaluate every visit of a planted run, equal ones once, and label the run."""
    found = {visit: _evaluate(visit, bench) for visit in dict.fromkeys(course.visits)}
    evaluations = tuple(replace(found[visit], step=step_of(i)) for i, visit in enumerate(course.visits))
    records = tuple(
        _record(step, course.visits[(step - 1) // SPACING].update)
        for step in range(RECORD_EVERY, VISITS * SPACING + 1, RECORD_EVERY)
    )
    history = History("planted", records, evaluations, None, last_step=VISITS * SPACING)
    return label(history, Thresholds(), horizon=VISITS * SPACING)


def _evaluate(visit: Visit, bench: Bench) -> Evaluation:
    evaluator, generator = bench.evaluator("mnist"), torch.Generator().manual_seed(SEED)
    fake_logits = torch.randn(SAMPLES, generator=generator)
    real_logits = torch.randn(len(evaluator.held_out), generator=generator) + 0.5
    if visit.perfect:
        real_logits, fake_logits = real_logits.abs() + 1, -fake_logits.abs() - 1
    return evaluator.evaluate(
        visit.sample(evaluator.dataset, generator),
        run="planted",
        step=0,
        real_logits=real_logits,
        fake_logits=fake_logits,
    )


def _record(step: int, update: float) -> Record:
    values: dict[str, Any] = {field.name: HEALTHY for field in fields(Record)}
    values |= {name: () for name in values if name.startswith("layer_")}
    named = {"run": "planted", "step": step, "generator_update": update, "discriminator_update": update}
    return Record(**(values | named))


def planted(name: str, bench: Bench) -> Finding:
    """Label and onsets of a planted run."""
    course = COURSES[name]
    result = play(course, bench)
    onsets = tuple(event.onset for event in result.events if event.kind is course.event)
    if course.outcome is Outcome.DIVERGED and result.divergence is not None:
        onsets = (result.divergence.step,)
    if course.outcome is Outcome.STABLE:
        onsets = tuple(event.onset for event in result.events)
    wanted = _describe(course.outcome, [step_of(visit) for visit in course.onsets])
    found = _describe(result.outcome, onsets)
    return Finding(wanted, found, found == wanted)


def _describe(outcome: Outcome, onsets: Sequence[int]) -> str:
    steps = " and ".join(str(step) for step in onsets)
    return f"{outcome} from {steps}" if steps else f"{outcome}, no event"


QUESTIONS = tuple(Question(f"planted run: {name}", partial(planted, name)) for name in COURSES)

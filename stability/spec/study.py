"""The validated study: what study.yaml says, typed and frozen."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from stability.spec.thresholds import Thresholds

Sampler = Literal["sobol", "random", "grid", "tpe"]
StopOutcome = Literal["diverged", "saturated", "collapsed"]
DATASETS = ("mnist", "fashion-mnist", "kmnist", "cifar10")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
Count = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Range(_Section):
    """An interval to sample from."""

    low: float
    high: float
    log: bool = False
    levels: Annotated[int, Field(ge=2)] | None = None
    """How many evenly spaced values the grid sampler takes."""
    integer: bool = False
    """Set from the parameter's own type, not by the study file."""


class Choice(_Section):
    """A list to choose from."""

    values: tuple[Any, ...]


class Design(_Section):
    """How configurations are drawn."""

    sampler: Sampler = "sobol"
    points: Annotated[int, Field(ge=1, le=100_000)] = 16
    seeds: Annotated[int, Field(ge=1, le=1_000)] = 1
    """Replicates of every trial."""
    cross: tuple[str, ...] | None = None
    """Factors trained at all their levels at every point; by default the loss, where it is a list."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """The study's own seed: points, weights, batches and noise all derive from it."""


class Training(_Section):
    """How long each run trains."""

    steps: Annotated[int, Field(ge=1, le=10_000_000)] = 3000
    """Generator updates: the horizon."""
    stop_on: tuple[StopOutcome, ...] = ("diverged",)
    cohort_size: Count | None = None
    """Runs trained in lockstep; by default from a table by device and architecture."""


class Recording(_Section):
    """What is measured, and how often."""

    every: Count = 10
    """Steps between records."""
    evaluate_every: Count = 250
    """Steps between visits."""
    samples: Annotated[int, Field(ge=16, le=50_000)] = 1024
    final_samples: Annotated[int, Field(ge=16, le=50_000)] = 2048


class StudySpec(_Section):
    """A whole study."""

    name: str
    dataset: str = "mnist"
    space: dict[str, Range | Choice] = {}
    fixed: dict[str, Any] = {}
    design: Design = Design()
    training: Training = Training()
    recording: Recording = Recording()
    outcomes: Thresholds = Thresholds()

"""The validated study: what study.yaml says, typed and frozen."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from stability.spec.config import Metric
from stability.spec.thresholds import Thresholds

Sampler = Literal["sobol", "random", "grid", "given", "tpe"]
UNDECLARED: Sampler = "given"
"""Of observed runs: their settings were given, and nobody said how they were drawn."""
Compile = Literal["none", "kernels", "cuda-graphs"]
StopOutcome = Literal["diverged", "saturated", "collapsed"]
POINT_DATASETS = ("ring", "grid", "dirac")
"""Problems whose examples are points and not images."""
DATASETS = ("mnist", "fashion-mnist", "kmnist", "cifar10", "digits-stacked", *POINT_DATASETS)
ImageSize = Literal[28, 32, 64]
IMAGE_SIZES = get_args(ImageSize)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
RESERVED = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]", re.IGNORECASE)
"""Names that no folder can have where a results folder may be taken to: Windows."""
VARIANT, CONFIGURATION = "variant", "configuration"
"""The factors whose levels are names in the study file: of its variants, and of its configs."""
Count = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Range(_Section):
    """An interval to sample from."""

    low: float
    high: float
    log: bool = False
    levels: Annotated[int, Field(ge=2, le=10_000)] | None = None
    """How many evenly spaced values the grid sampler takes."""
    integer: bool = False
    """Set from the parameter's own type, not by the study file."""

    def grid(self) -> tuple[float, ...]:
        """The `levels` evenly spaced values from low to high, evenly in the logarithm when `log` is set.

        Integers are rounded, so that more levels than integers repeat some.
        """
        last = (self.levels or 2) - 1
        return tuple(self._between(index / last) for index in range(last + 1))

    def _between(self, share: float) -> float:
        value = min(max(between(self.low, self.high, share, log=self.log), self.low), self.high)
        return round(value) if self.integer else value


def between(low: float, high: float, share: float, *, log: bool) -> float:
    """The number at a share, 0 to 1, of the way from low to high, or of the way between their logarithms."""
    if log:
        return math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
    return low + share * (high - low)


class Choice(_Section):
    """A list to choose from."""

    values: tuple[Any, ...]


class Design(_Section):
    """How configurations are drawn."""

    sampler: Sampler = "sobol"
    """sobol, random and grid are fixed before the first run; tpe searches, and its runs enter no rate."""
    points: Annotated[int, Field(ge=1, le=100_000)] = 16
    """Draws of the sampled parameters (a grid has as many as its levels make)."""
    seeds: Annotated[int, Field(ge=1, le=1_000)] = 1
    """Replicates of every trial."""
    cross: tuple[str, ...] | None = None
    """Factors trained at all their levels at every point; by default the loss, where it is a list."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """The study's own seed: points, weights, batches and noise all derive from it."""


class Training(_Section):
    """How long each run trains."""

    steps: Annotated[int, Field(ge=1, le=10_000_000)] = 12_000
    """The horizon. A step is `n_dis` discriminator updates, then `n_gen` generator updates."""
    stop_on: tuple[StopOutcome, ...] = ("diverged",)
    """Outcomes that end a run early."""
    cohort_size: Count | None = None
    """Runs trained in lockstep; by default from a table by device and architecture."""
    tf32: bool = False
    """Let CUDA devices round the factors of float32 products and convolutions to 10 bits of mantissa."""
    compile: Compile = "none"
    """Run the networks as kernels that torch.compile makes, on CUDA devices also as CUDA graphs."""


class Recording(_Section):
    """What is measured, and how often."""

    every: Count = 10
    """Steps between records."""
    evaluate_every: Count = 500
    """Steps between visits."""
    samples: Annotated[int, Field(ge=16, le=10_000)] = 1024
    """Generated images per visit; distances of all their pairs are taken."""
    final_samples: Annotated[int, Field(ge=16, le=50_000)] = 2048
    """Images that the last visit takes one more FID on, and what else is counted on many samples."""
    metrics: tuple[Metric, ...] = ()
    """Metrics of your own, at every visit."""
    keep_weights: bool = False
    """Keep every run's final weights, and its latent views."""
    keep_state: bool = False
    """Keep what every run needs to go on, so that `training.steps` may grow later."""


class StudySpec(_Section):
    """A whole study."""

    name: str
    """Letters, digits, - and _; it names the results folder, too."""
    dataset: str = "mnist"
    """One of the data sets below, or `folder:PATH`."""
    image_size: ImageSize | None = None
    """Pixels; by default the data set's own (folders: 32)."""
    observed: bool = False
    """Whether the runs were trained elsewhere, under `stability.Monitor`: nothing of them can be planned or
    trained here, and `space` and `fixed` hold their owner's own names and values."""
    space: dict[str, Range | Choice] = {}
    """What is sampled: parameters by name, a list to choose from or a range `{low, high, log, levels}`."""
    fixed: dict[str, Any] = {}
    """Parameters that all runs share."""
    variants: dict[str, dict[str, Any]] = {}
    """Parameters by name of the variant; every point is trained under all, and the first is the baseline."""
    configs: dict[str, dict[str, Any]] = {}
    """Parameters by name of the configuration: each is a point, and nothing is sampled."""
    design: Design = Design()
    training: Training = Training()
    recording: Recording = Recording()
    outcomes: Thresholds = Thresholds()

    @property
    def crossed(self) -> tuple[str, ...]:
        """The factors trained at all their levels at every point; a search crosses no list unless told to."""
        searches = self.observed or self.design.sampler == "tpe"
        by_default = ("loss",) if isinstance(self.space.get("loss"), Choice) and not searches else ()
        crossed = by_default if self.design.cross is None else self.design.cross
        return (*crossed, VARIANT) if self.variants and VARIANT not in crossed else crossed

    @property
    def factors(self) -> dict[str, Range | Choice]:
        """What differs between runs by design: configurations and variants by their names, and the space."""
        named = {CONFIGURATION: self.configs, VARIANT: self.variants}
        return {name: Choice(values=tuple(given)) for name, given in named.items() if given} | self.space

    @property
    def sampled(self) -> dict[str, Range | Choice]:
        """What a point draws: the space without its crossed factors, in order of name.

        The order is not the file's, so that a study file can be rearranged without changing its points.
        """
        crossed = self.crossed
        return {name: self.space[name] for name in sorted(self.space) if name not in crossed}

    @property
    def overridden(self) -> frozenset[str]:
        """The parameters of the space that some variant sets, so that its runs have no part in the draw."""
        return frozenset(name for values in self.variants.values() for name in values if name in self.space)

    def setting(self, name: str) -> tuple[str, ...]:
        """The variants that set this parameter."""
        return tuple(variant for variant, values in self.variants.items() if name in values)

    @property
    def settings(self) -> dict[tuple[str, ...], dict[str, Any]]:
        """Every set of parameters that the study file gives single values, by where it stands."""
        found: dict[tuple[str, ...], dict[str, Any]] = {("fixed",): self.fixed}
        found |= {("variants", name): values for name, values in self.variants.items()}
        return found | {("configs", name): values for name, values in self.configs.items()}

    @property
    def named(self) -> tuple[str, ...]:
        """The parameters that are given a single value somewhere."""
        return tuple(dict.fromkeys(name for values in self.settings.values() for name in values))

    @property
    def n_points(self) -> int:
        """How many points the design has; a search's, once it is finished."""
        if self.configs:
            return len(self.configs)
        if self.observed:
            return self.design.points
        return self.grid_size if self.design.sampler == "grid" else self.design.points

    @property
    def grid_size(self) -> int:
        """How many points the full grid of the sampled parameters has."""
        factors = self.sampled.values()
        return math.prod(
            len(factor.values) if isinstance(factor, Choice) else factor.levels or 1 for factor in factors
        )

    def values_at(self, levels: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters that a run at these levels is given: fixed < configuration < drawn < variant."""
        named = self.configs.get(levels.get(CONFIGURATION, ""), {})
        varied = self.variants.get(levels.get(VARIANT, ""), {})
        drawn = {name: value for name, value in levels.items() if name not in (CONFIGURATION, VARIANT)}
        return {**self.fixed, **named, **drawn, **varied}

"""What is wrong between sections that are each right by themselves, and a study too large to plan."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from stability.errors import StabilityError
from stability.spec.config import (
    ARCHITECTURE_NAMES,
    DENSE_ARCHITECTURES,
    IMAGE_ARCHITECTURES,
    POINT_ARCHITECTURES,
    is_own_code,
)
from stability.spec.problems import Path, Problem, show
from stability.spec.study import CONFIGURATION, POINT_DATASETS, Choice, Range, StudySpec

MAX_POINTS = 100_000
MAX_RUNS = 100_000
MAX_VALUES = 4_000
"""Of all lists, variants and configurations together: well below what may stand in a file, since a study is
kept with its defaults written out."""
MAX_NAME = 200
"""Characters of a run's name, made of its point, its level of every crossed factor and its seed, which
names its files."""


def relations(spec: StudySpec, *, given: Collection[str]) -> list[Problem]:
    """The problems of a study whose sections have none; `given` are the keys of its design in the file."""
    if spec.observed:  # what its owner named has no rules of ours
        return []
    both = [name for name in spec.fixed if name in spec.space]
    problems = [Problem(("fixed", name), "is in space, too; keep one of the two") for name in both]
    problems += _rate_problems(spec)
    problems += _schedule_problems(spec)
    problems += _cross_problems(spec)
    problems += _variant_problems(spec)
    problems += _config_problems(spec, given)
    problems += _architecture_problems(spec)
    problems += _own_name_problems(spec)
    problems += _network_problems(spec)
    if spec.design.sampler == "tpe" and not problems and not spec.sampled:
        words = "tpe needs something to search: put a parameter under space that is not in cross"
        problems.append(Problem(("design", "sampler"), words))
    if spec.design.sampler == "grid":
        problems += _grid_problems(spec, is_given="points" in given)
    if spec.recording.final_samples < spec.recording.samples:
        last = spec.recording.final_samples
        words = f"{spec.recording.samples} must be at most final_samples, {last}"
        problems.append(Problem(("recording", "samples"), words))
    if spec.image_size is not None and spec.dataset in POINT_DATASETS:
        problems.append(Problem(("image_size",), f"does not apply to {spec.dataset}, which has points"))
    return problems or _plan_problems(spec)


def check_trained_here(spec: StudySpec) -> None:
    """Refuse what only the owner of observed runs could do. Raises StabilityError."""
    if spec.observed:
        words = "its runs were trained by a loop of their owner's, under stability.Monitor"
        raise StabilityError(f"{spec.name}: {words}; nothing of it can be trained here")


def _plan_problems(spec: StudySpec) -> list[Problem]:
    """More runs than can be planned, or names of runs that cannot name files."""
    factors = [factor.values for name in spec.crossed if isinstance(factor := spec.factors[name], Choice)]
    points = spec.n_points
    n_runs = points * math.prod(map(len, factors)) * spec.design.seeds
    problems = []
    n_values = sum(len(factor.values) for factor in spec.factors.values() if isinstance(factor, Choice))
    n_values += sum(len(values) for values in spec.settings.values())
    if n_values > MAX_VALUES:
        problems.append(Problem(("space",), f"its lists hold {n_values} values, more than {MAX_VALUES}"))
    if n_runs > MAX_RUNS:
        words = f"{n_runs} runs (points x crossed levels x seeds), more than {MAX_RUNS}"
        problems.append(Problem(("design",), words))
    named = [tuple(spec.configs)] if spec.configs else []
    length = len(f"p{points}-s{spec.design.seeds}")
    length += sum(1 + max(len(str(value)) for value in values) for values in [*factors, *named])
    if length > MAX_NAME:
        words = f"a run named by its levels would have {length} characters, more than {MAX_NAME}"
        problems.append(Problem(("design", "cross"), f"{words}; cross fewer factors"))
    return problems or _same_name_problems(spec, factors)


def _same_name_problems(spec: StudySpec, factors: list[tuple[Any, ...]]) -> list[Problem]:
    """Two combinations of levels that would name one file: variants are named freely, and with hyphens."""
    if not spec.variants:
        return []
    seen: set[str] = set()
    for levels in itertools.product(*factors):
        name = "-".join(str(level).lower() for level in levels)
        if name in seen:
            return [Problem(("variants",), f"two trials would be called {name}; rename a variant")]
        seen.add(name)
    return []


def _variant_problems(spec: StudySpec) -> list[Problem]:
    """A variant that sets what is crossed: its points would be trained several times alike."""
    return [
        Problem(("variants", variant, name), "is crossed, too (design.cross); keep one of the two")
        for variant, values in spec.variants.items()
        for name in values
        if name in spec.crossed
    ]


def _config_problems(spec: StudySpec, given: Collection[str]) -> list[Problem]:
    """What cannot stand beside configurations given by hand, which are all the points there are."""
    sampler, points = spec.design.sampler, spec.design.points
    if not spec.configs:
        words = "given takes its points from configs, and there are none"
        return [Problem(("design", "sampler"), words)] if sampler == "given" else []
    problems = []
    if spec.space:
        words = "must be empty beside configs, which are the points; what varies goes into them or variants"
        problems.append(Problem(("space",), words))
    if "sampler" in given and sampler != "given":
        words = f"{sampler} samples, and the points are configs; leave it out"
        problems.append(Problem(("design", "sampler"), words))
    if "points" in given and points != spec.n_points:
        words = f"{points} is not the number of configs, {spec.n_points}; leave it out"
        problems.append(Problem(("design", "points"), words))
    return problems


def _rate_problems(spec: StudySpec) -> list[Problem]:
    """Learning rates named in one way where, in the same runs, the other way has the last word."""
    problems, below = [], set[str]()
    for layer in _layers(spec):
        for given in layer:
            common = [name for name in ("lr", "lr_ratio") if name in given]
            own = [name for name in ("lr_g", "lr_d") if name in given]
            if common and (own or below):
                words = f"cannot stand beside {' and '.join(common if own else sorted(below))}"
                words += "; name lr and lr_ratio, or lr_g and lr_d"
                problems += [Problem(given[name], words) for name in own or common]
        below |= {name for given in layer for name in ("lr_g", "lr_d") if name in given}
    return problems


def _layers(spec: StudySpec) -> list[list[dict[str, Path]]]:
    """The parameters that are given, and where, by what wins over what: all runs', configs, variants."""
    placed: dict[Path, dict[str, Path]] = {
        path: {name: (*path, name) for name, value in values.items() if value is not None}
        for path, values in spec.settings.items()
    }
    shared = placed.pop(("fixed",)) | {name: ("space", name) for name in spec.space}
    kinds = ("configs", "variants")
    return [[shared], *([given for path, given in placed.items() if path[0] == kind] for kind in kinds)]


def _schedule_problems(spec: StudySpec) -> list[Problem]:
    """Learning rates that fall and nothing that says by when."""
    lengths = [value for _, value in _named(spec, "decay_steps")]
    if lengths and None not in lengths:
        return []
    words = "needs decay_steps: by then linear and cosine are 0, each time step multiplies by lr_decay"
    return [
        Problem(path, f"{kind} {words}")
        for name in ("lr_schedule", "lr_schedule_g", "lr_schedule_d")
        for path, kind in _named(spec, name)
        if kind not in (None, "constant")
    ]


def _cross_problems(spec: StudySpec) -> list[Problem]:
    factors = spec.factors.items()
    lists = [name for name, factor in factors if isinstance(factor, Choice) and name != CONFIGURATION]
    allowed = f"allowed: {', '.join(lists) or 'nothing, space holds no list'}"
    return [
        Problem(("design", "cross", index), f"{show(name)} is not a list under space; {allowed}")
        for index, name in enumerate(spec.design.cross or ())
        if name not in lists
    ]


def _architecture_problems(spec: StudySpec) -> list[Problem]:
    """An architecture that the data set gives no examples for: dcgan on points, dirac on images."""
    points = spec.dataset in POINT_DATASETS
    misfits = IMAGE_ARCHITECTURES if points else POINT_ARCHITECTURES
    kind = "points, not images" if points else "images, not points"
    allowed = ", ".join(name for name in ARCHITECTURE_NAMES if name not in misfits)
    return [
        Problem(path, f"{name} does not fit dataset {spec.dataset}, which has {kind}; allowed: {allowed}")
        for path, name in _architectures(spec)
        if name in misfits
    ]


@dataclass(frozen=True, slots=True)
class Misfit:
    """Values that networks of the package's own have no layers for."""

    architectures: tuple[str, ...]
    parameters: tuple[str, ...]
    misfits: Callable[[Any], bool]
    words: str


MISFITS = (
    Misfit(
        DENSE_ARCHITECTURES,
        ("norm_g", "norm_d"),
        lambda norm: norm == "instance",
        "instance needs maps to normalise, which {} has none of; allowed: none, batch, layer",
    ),
    Misfit(
        ("conditional",),
        ("replay",),
        bool,
        "does not fit {}, whose discriminator would be told new classes of old fakes",
    ),
    Misfit(
        ("unpool",),
        ("width_g", "width_d"),
        lambda width: width is not None,
        "does not fit {}, whose generator puts its maps where the discriminator's are; use width",
    ),
)


def _network_problems(spec: StudySpec) -> list[Problem]:
    """What an architecture has no layers for, where the two meet in a run."""
    found = dict[Problem, None]()
    for config, variant in itertools.product(spec.configs or [""], spec.variants or [""]):
        for _, architecture in _given(spec, "architecture", config, variant) or [((), "mlp")]:
            found |= {
                Problem(path, case.words.format(architecture)): None
                for case in MISFITS
                if architecture in case.architectures
                for name in case.parameters
                for path, value in _given(spec, name, config, variant)
                if case.misfits(value)
            }
    return list(found)


def _given(spec: StudySpec, name: str, config: str, variant: str) -> list[tuple[Path, Any]]:
    """The values of a parameter in the runs of a configuration and a variant, and where they stand."""
    if name in spec.variants.get(variant, {}):
        return [(("variants", variant, name), spec.variants[variant][name])]
    if name in spec.space:
        return _sampled(spec, name)
    if name in spec.configs.get(config, {}):
        return [(("configs", config, name), spec.configs[config][name])]
    return [(("fixed", name), spec.fixed[name])] if name in spec.fixed else []


OWN = ("architecture", "loss", "penalty")
"""The parameters that may name code of the user's own; `recording.metrics` names nothing else."""


def code_problems(spec: StudySpec) -> list[Problem]:
    """Whatever is the user's own code: a study file may come from somebody else."""
    words = "is code that would be imported and run; if you trust it, add --allow-code"
    return [Problem(path, f"{name} {words}") for path, name in own_code(spec)]


def own_code(spec: StudySpec, parameter: str | None = None) -> list[tuple[Path, str]]:
    """Where a study names code of the user's own, by default of any kind, and which."""
    named = [found for name in OWN if parameter in (None, name) for found in _named(spec, name)]
    if parameter is None:
        named += _metrics(spec)
    return [(path, name) for path, name in named if is_own_code(name)]


def _metrics(spec: StudySpec) -> list[tuple[Path, str]]:
    return [(("recording", "metrics", index), name) for index, name in enumerate(spec.recording.metrics)]


def _architectures(spec: StudySpec) -> list[tuple[Path, str]]:
    return _named(spec, "architecture")


def _named(spec: StudySpec, name: str) -> list[tuple[Path, Any]]:
    """Each value of a parameter that the study names, and where; of a range its lower end."""
    given = [((*path, name), values[name]) for path, values in spec.settings.items() if name in values]
    return _sampled(spec, name) + given


def _sampled(spec: StudySpec, name: str) -> list[tuple[Path, Any]]:
    factor = spec.space.get(name)
    if isinstance(factor, Choice):
        return [(("space", name, index), value) for index, value in enumerate(factor.values)]
    return [(("space", name, "low"), factor.low)] if isinstance(factor, Range) else []


def _own_name_problems(spec: StudySpec) -> list[Problem]:
    """Two names of own code that differ by case alone: files are named by a crossed one in lower case.

    Two metrics whose columns would have one name.
    """
    columns = [name.partition(":")[2] for name in spec.recording.metrics]
    problems = [
        Problem(("recording", "metrics", index), f"another metric is called {name}, too")
        for index, name in enumerate(columns)
        if name in columns[:index]
    ]
    for parameter in OWN:
        factor = spec.space.get(parameter)
        names = [name.lower() for name in factor.values] if isinstance(factor, Choice) else []
        problems += [
            Problem(("space", parameter, index), f"{name} is in the list before, in another case")
            for index, name in enumerate(names)
            if name in names[:index]
        ]
    return problems


def _grid_problems(spec: StudySpec, *, is_given: bool) -> list[Problem]:
    problems = []
    for name, factor in spec.sampled.items():
        if isinstance(factor, Range) and factor.levels is None:
            words = "levels is missing; the grid sampler needs to know how many values to take"
            problems.append(Problem(("space", name), words))
        elif isinstance(factor, Range) and len(set(factor.grid())) < len(factor.grid()):
            words = f"{factor.levels} is more than there are values between low and high"
            problems.append(Problem(("space", name, "levels"), words))
    if problems:
        return problems
    if spec.grid_size > MAX_POINTS:
        return [Problem(("space",), f"the grid has {spec.grid_size} points, more than {MAX_POINTS}")]
    if is_given and spec.design.points != spec.grid_size:
        words = f"{spec.design.points} is not the size of the grid, {spec.grid_size}; leave it out"
        return [Problem(("design", "points"), words)]
    return []

"""What a cluster is asked for, by the keys of an options file. Imports spec; neither Ray nor submitit."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from stability.errors import StabilityError
from stability.spec.loader import read_text
from stability.spec.problems import Problem
from stability.spec.sections import Problems, read_model
from stability.spec.source import read_source

Cpus = Annotated[int, Field(ge=1, le=4_096)]
Count = Annotated[int, Field(ge=1, le=100_000)]


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RayOptions(_Options):
    """What every cohort is to have of a Ray cluster."""

    name: ClassVar[str] = "ray"

    cpus_per_cohort: Cpus = 1
    """Also the threads of a study that begins."""
    gpus_per_cohort: Annotated[float, Field(ge=0, le=64)] = 0
    """A share below 1 lets several cohorts train on one GPU."""

    @property
    def cpus(self) -> int:
        """For each cohort under way."""
        return self.cpus_per_cohort

    @property
    def gpus(self) -> float:
        """For each cohort under way."""
        return self.gpus_per_cohort

    def jobs(self, cohorts: int, seconds: float) -> dict[str, Any]:
        """How many tasks of how long, if a cohort takes so many seconds; what room there is nobody knows."""
        return {"engine": self.name, "jobs": cohorts, "seconds": seconds}

    def problems(self) -> Problems:
        """What no field by itself is wrong about."""
        gpus = self.gpus_per_cohort
        whole = gpus <= 1 or gpus == int(gpus)
        return [] if whole else [Problem(("gpus_per_cohort",), "above 1 must be whole, as Ray has it")]


class SlurmOptions(_Options):
    """What every job is to have of a Slurm cluster."""

    name: ClassVar[str] = "slurm"

    cluster: Literal["slurm", "local"] = "slurm"
    """`local` tries it out: jobs are processes of this machine."""
    partition: str = ""
    account: str = ""
    time: Annotated[int, Field(ge=1, le=60 * 24 * 365)] = 240
    """Minutes; a job that needs more writes checkpoints and is queued again."""
    cpus: Cpus = 1
    """Also the threads of a study that begins."""
    gpus: Annotated[int, Field(ge=0, le=1)] = 0
    """Jobs with a GPU train on it; a cohort has no use for two."""
    memory: Annotated[int, Field(ge=1, le=16_384)] = 8
    """GB."""
    array: Count = 64
    """Jobs at a time."""
    cohorts_per_job: Count = 1
    """Trained in turn: more make sense where a cohort takes less time than a job waits."""
    grace: Annotated[int, Field(ge=1, le=3_600)] = 90
    """Seconds before the end of its time at which a job is told to write a checkpoint."""

    def jobs(self, cohorts: int, seconds: float) -> dict[str, Any]:
        """How many jobs of how long, if a cohort takes so many seconds."""
        count, each = -(-cohorts // self.cohorts_per_job), seconds * min(cohorts, self.cohorts_per_job)
        at_once = min(self.array, count)
        return {
            "engine": self.name,
            "jobs": count,
            "seconds": each,
            "at_once": at_once,
            "in_all": -(-count // at_once) * each,
            "limit": 60 * self.time,
        }

    def problems(self) -> Problems:
        """What no field by itself is wrong about."""
        if self.grace < 60 * self.time:
            return []
        return [Problem(("grace",), f"must be less than time, which is {60 * self.time} seconds")]


Options: TypeAlias = RayOptions | SlurmOptions

ENGINES: dict[str, type[RayOptions] | type[SlurmOptions]] = {"ray": RayOptions, "slurm": SlurmOptions}
CARRIERS = {"ray": "ray", "slurm": "submitit"}
"""By engine: the package that it takes."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where else than here cohorts are trained."""

    options: Options
    address: str | None = None
    """Of a Ray cluster; without one Ray makes one of this machine."""
    detach: bool = False
    """Whether jobs of Slurm go on when this process is told to stop."""


def choose_cluster(
    engine: str, path: Path | None, *, address: str | None = None, detach: bool = False
) -> Cluster:
    """The engine that is asked for, with what a file asks of it.

    Raises `StabilityError`: its package is missing, something in the file is wrong, or the other engine's
    option is given.
    """
    if find_spec(CARRIERS[engine]) is None:
        raise StabilityError(
            f"--engine {engine}: needs {CARRIERS[engine]}: pip install 'stability[{engine}]'"
        )
    if address is not None and engine != "ray":
        raise StabilityError("--address: is for --engine ray")
    if detach and engine != "slurm":
        raise StabilityError("--detach: is for --engine slurm, whose jobs can go on alone")
    return Cluster(read_options(engine, path), address, detach)


def read_options(engine: str, path: Path | None) -> Options:
    """What a file asks of an engine; without one, what is asked for by default.

    Raises `StabilityError`, one line with file, line and field, for anything that is wrong.
    """
    model = ENGINES[engine]
    if path is None:
        return model()
    if not path.exists():
        raise StabilityError(f"{path}: no such file; it is to hold what {engine} is asked for")
    source = read_source(*read_text(path), ())
    problems: Problems = []
    options = read_model(model, source.data, (), problems)
    if options is not None:
        problems += options.problems()
    if options is None or problems:
        raise source.error(problems)
    return options

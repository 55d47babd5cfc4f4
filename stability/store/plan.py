"""The plan of a study as JSON: every run, and which runs train together. Imports spec, errors and seals."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from stability.errors import StabilityError
from stability.spec import Run, Thresholds
from stability.spec.problems import one_line
from stability.store.ages import RETIRED_THRESHOLDS
from stability.store.seals import is_whole, seal_json

FORMAT_VERSION = 2
"""The version of the whole results folder's format, kept in its plan."""
OLDER_VERSIONS = (1,)
"""What `stability.store.repair.migrate` brings up to the present one."""

FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=-]{0,199}")
"""What a run or cohort may be called: these names become file names and must stay in their folder."""


@dataclass(frozen=True, slots=True)
class PlannedCohort:
    """Runs that train in lockstep, by name."""

    id: str
    runs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a study is going to do; everything that its records depend on.

    Raises `StabilityError`: a name is unsafe or used twice, or a cohort names a run that is not planned.
    """

    version: int
    """The results folder's format."""
    threads: int
    device: str
    horizon: int
    """Steps that every run trains for, unless it stops early."""
    cohorts: tuple[PlannedCohort, ...]
    runs: tuple[Run, ...]
    stop_thresholds: Thresholds = field(default_factory=Thresholds)
    """What `training.stop_on` goes by; relabelling changes the study file's thresholds, never these."""

    def __post_init__(self) -> None:
        planned = _unique("run", [run.run for run in self.runs])
        _unique("cohort", [cohort.id for cohort in self.cohorts])
        grouped = _unique("run in cohorts", [run for cohort in self.cohorts for run in cohort.runs])
        if unknown := sorted(grouped - planned):
            raise StabilityError(f"plan: cohorts name {unknown[0]!r}, which is no run of the plan")

    def to_json(self) -> str:
        """One line per run and per cohort, and a seal; floats are written so that they read back exactly."""
        head = {
            "version": self.version,
            "threads": self.threads,
            "device": self.device,
            "horizon": self.horizon,
            "stop_thresholds": self.stop_thresholds.model_dump(),
        }
        lines = [f" {_line(name)}: {_line(value)}," for name, value in head.items()]
        cohorts = ",\n".join(f"  {_line(dataclasses.asdict(cohort))}" for cohort in self.cohorts)
        runs = ",\n".join(f"  {_line(_run_fields(run))}" for run in self.runs)
        text = "\n".join(["{", *lines, ' "cohorts": [', cohorts, " ],", ' "runs": [', runs, " ]", "}", ""])
        return seal_json(text).decode()

    @staticmethod
    def from_json(text: str | bytes, source: str = "plan.json") -> Plan:
        """Read what `to_json` wrote; a plan of before there were seals has none.

        Raises `StabilityError`: the text is damaged, or another format version wrote it.
        """
        version = version_of(text)
        if version is None:
            raise StabilityError(f"{source}: damaged, this is not a plan")
        if version != FORMAT_VERSION:
            raise StabilityError(f"{source}: version: {version}, {_other_version(version, source)}")
        fields = json.loads(text)
        for name in RETIRED_THRESHOLDS:
            fields.get("stop_thresholds", {}).pop(name, None)
        try:
            return _PLAN.validate_python(fields)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise StabilityError(f"{source}: {one_line(where)}: {one_line(first['msg'], 200)}") from None


_PLAN = TypeAdapter(Plan)


def version_of(text: str | bytes) -> int | None:
    """The format version that a plan says it has; None where it is damaged or no plan."""
    content = text.encode() if isinstance(text, str) else text
    try:
        version = int(json.loads(content)["version"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return None if is_whole(content) is False else version


def _other_version(version: int, source: str) -> str:
    """What to do about a plan of another version."""
    reads = f"this version of stability reads {FORMAT_VERSION}"
    if version in OLDER_VERSIONS:
        folder = shlex.quote(str(Path(source).parent))
        return f"{reads}; `stability status {folder} --repair` brings it up to that"
    return f"{reads}; use the version that wrote it"


def _run_fields(run: Run) -> dict[str, Any]:
    fields = {field.name: getattr(run, field.name) for field in dataclasses.fields(run)}
    return fields | {"config": run.config.model_dump(mode="json")}


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _unique(what: str, names: list[str]) -> set[str]:
    seen: set[str] = set()
    for name in names:
        if not FILE_NAME.fullmatch(name):
            raise StabilityError(
                f"plan: {what} name {one_line(repr(name))}: allowed are letters, digits and . _ + = -"
            )
        if name in seen:
            raise StabilityError(f"plan: {what} name {name!r} is used twice")
        seen.add(name)
    return seen

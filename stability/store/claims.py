"""Cohorts that jobs of a cluster train in the same folder: a claim each, and what a job says.

Imports errors and files.

A claim is a token, new for every job that is to train a cohort. A job writes only as long as the claim is its
own, so one that was given up, and begins or goes on all the same, writes nothing.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stability.errors import StabilityError
from stability.spec.problems import one_line
from stability.store.files import os_errors_as_stability, replace_file

JOBS = "jobs"
CLAIM, JOB, SAID = ".claim", ".job", ".said"
STOP = "stop"


@dataclass(frozen=True, slots=True)
class Claim:
    """A cohort in the hands of one job."""

    study: Path
    cohort: str
    token: bytes

    @property
    def file(self) -> Path:
        """What holds the token, by its path in the study's folder."""
        return Path(JOBS, f"{self.cohort}{CLAIM}")

    @property
    def job(self) -> str | None:
        """The job's number; None if whoever sent it was killed before it knew."""
        path = self._path(JOB)
        return path.read_text() if path.is_file() else None

    def is_held(self) -> bool:
        """Whether no other job has been given the cohort since."""
        try:
            return (self.study / self.file).read_bytes() == self.token
        except OSError:
            return False

    def sent_as(self, job: str) -> None:
        """Note the job's number."""
        replace_file(self._path(JOB), job.encode())

    def say(self, said: Mapping[str, Any]) -> None:
        """Leave what the job has to say in the place of what it said before, unless it lost the claim."""
        if self.is_held():
            replace_file(self._path(SAID), json.dumps({"token": self.token.decode(), **said}).encode())

    def said(self) -> dict[str, Any] | None:
        """What the job last said; None if nothing yet."""
        try:
            said: dict[str, Any] = json.loads(self._path(SAID).read_bytes())
        except (OSError, ValueError):
            return None
        return said if said.get("token") == self.token.decode() else None

    def release(self) -> None:
        """Nobody trains it any more."""
        for ending in (CLAIM, SAID, JOB):
            with os_errors_as_stability(self._path(ending)):
                self._path(ending).unlink(missing_ok=True)

    def should_stop(self) -> bool:
        """Whether all jobs are asked to write checkpoints and to leave, or this one has lost its claim."""
        return (self.study / JOBS / STOP).exists() or not self.is_held()

    def _path(self, ending: str) -> Path:
        return self.study / JOBS / f"{self.cohort}{ending}"


def new_claim(study: Path, cohort: str) -> Claim:
    """Take a cohort from whoever has it, for a job that is to be sent."""
    claim = Claim(study, cohort, uuid.uuid4().hex.encode())
    with os_errors_as_stability(study):
        (study / JOBS).mkdir(exist_ok=True)
    claim.release()
    replace_file(study / claim.file, claim.token)
    return claim


def claims(study: Path) -> list[Claim]:
    """All that are held, in the order of their names."""
    found = sorted((study / JOBS).glob(f"*{CLAIM}"))
    return [Claim(study, path.name.removesuffix(CLAIM), path.read_bytes()) for path in found]


def in_the_hands_of_jobs(study: Path, cohorts: Sequence[str]) -> StabilityError:
    """That nobody may write beside them, and what to do."""
    return StabilityError(
        f"{study}: jobs of a cluster have {one_line(', '.join(cohorts))}; run the study with --engine slurm, "
        f"which goes on with them; if they are gone, remove its {JOBS}"
    )


def ask_to_stop(study: Path, *, stop: bool) -> None:
    """Ask all jobs to leave, or take it back."""
    path = study / JOBS / STOP
    with os_errors_as_stability(path):
        if stop:
            path.touch()
        else:
            path.unlink(missing_ok=True)

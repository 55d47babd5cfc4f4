"""A study's state, and what was found in its folder, as text."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stability.cli.display import outcome_counts
from stability.store.repair.examine import Examination, Fault, Remedy

MOST_NAMES = 20
"""Of cohorts that are listed; `--json` has all."""


def as_text(state: dict[str, Any]) -> str:
    """A few lines: how far, which outcomes, what to do next."""
    done = "finished" if state["complete"] else "not finished"
    lines = [f"{state['study']} ({state['folder']}): {done}"]
    lines += [f"{head:<9} {words}" for head, words in _facts(state)]
    lines += [f"  {name}  {outcome}" for name, outcome in state.get("run_states", {}).items()]
    if state["complete"]:
        lines.append(f"next      stability report {state['folder']}")
    return "\n".join(lines)


def _facts(state: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is so of every study, then of some: a word for each line, and the line."""
    counts = Counter({name: count for name, count in state["outcomes"].items() if count})
    steps = f"up to {state['horizon']} steps" if state["observed"] else f"{state['horizon']} steps each"
    yield "runs", f"{state['runs_finished']} of {state['runs']}, {steps}"
    yield "cohorts", f"{state['cohorts_finished']} of {state['cohorts']}"
    yield "outcomes", outcome_counts(counts)
    yield "device", f"{state['device']}, {state['threads']} threads"
    yield from (("trained", _trained_on(one)) for one in state["machines"] if one["host"] is not None)
    for processor, cohorts in state["processors"].items():
        yield "processor", f"{processor or 'unknown'}: {_some(cohorts)}"
    if state["jobs"]:
        yield "jobs", f"have {_some(state['jobs'])}"
    for one in state["split"]:
        into = " and ".join(one["into"])
        yield "split", f"{one['cohort']}, {len(one['runs'])} runs, into {into}: {one['reason']}"
    if state["under_way"]:
        yield "training", f"{', '.join(state['under_way'])}, unless it was killed"
    if state["older_labels"]:
        told = f"{state['older_labels']} of the cohorts have an older release's, read anew by today's rules"
        yield "labels", f"{told}; `stability relabel {state['folder']}` stores these"


def _trained_on(machine: dict[str, Any]) -> str:
    count = "1 cohort" if machine["cohorts"] == 1 else f"{machine['cohorts']} cohorts"
    return f"{count} on {machine['host']}, {machine['processor'] or 'unknown processor'}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def check_as_text(folder: Path, found: Examination, done: Sequence[str]) -> str:
    """What a repair did, then every fault with what is lost by it, then what to do next."""
    lines = [f"repaired  {words}" for words in done]
    for fault in found.faults:
        lines += _fault_lines(fault)
    lines += [f"note      {note}" for note in found.notes]
    files = "1 file" if found.files == 1 else f"{found.files} files"
    count = len(found.faults)
    verdict = (
        "all is well" if not count else "1 thing is wrong" if count == 1 else f"{count} things are wrong"
    )
    lines.append(f"{folder}: {files} examined, {verdict}")
    if any(fault.remedy is not Remedy.NONE for fault in found.faults):
        lines.append(f"next      stability status {shlex.quote(str(folder))} --repair")
    return "\n".join(lines)


def check_summary(folder: Path, found: Examination, done: Sequence[str]) -> dict[str, Any]:
    """The same for machines."""
    return {
        "folder": str(folder),
        "whole": not found.faults,
        "files": found.files,
        "faults": [asdict(fault) for fault in found.faults],
        "notes": list(found.notes),
        "repaired": list(done),
    }


def _fault_lines(fault: Fault) -> list[str]:
    return [f"{fault.file}: {fault.wrong}", f"  lost    {fault.lost}", f"  repair  {fault.repair}"]

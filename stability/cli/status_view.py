"""A study's state, and what was found in its folder, as text."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stability.cli.display import outcome_counts
from stability.store.repair.examine import Examination, Fault, Remedy

MOST_NAMES = 20
"""Of cohorts that are listed; `--json` has all."""


def as_text(state: dict[str, Any]) -> str:
    """A few lines: how far, which outcomes, what to do next."""
    counts = Counter({name: count for name, count in state["outcomes"].items() if count})
    done = "finished" if state["complete"] else "not finished"
    steps = f"up to {state['horizon']} steps" if state["observed"] else f"{state['horizon']} steps each"
    lines = [
        f"{state['study']} ({state['folder']}): {done}",
        f"runs      {state['runs_finished']} of {state['runs']}, {steps}",
        f"cohorts   {state['cohorts_finished']} of {state['cohorts']}",
        f"outcomes  {outcome_counts(counts)}",
        f"device    {state['device']}, {state['threads']} threads",
    ]
    for one in state["machines"]:
        if one["host"] is not None:
            count = "1 cohort" if one["cohorts"] == 1 else f"{one['cohorts']} cohorts"
            lines.append(f"trained   {count} on {one['host']}, {one['processor'] or 'unknown processor'}")
    for processor, cohorts in state["processors"].items():
        lines.append(f"processor {processor or 'unknown'}: {_some(cohorts)}")
    if state["jobs"]:
        lines.append(f"jobs      have {_some(state['jobs'])}")
    for one in state["split"]:
        into = " and ".join(one["into"])
        lines.append(f"split     {one['cohort']}, {len(one['runs'])} runs, into {into}: {one['reason']}")
    if state["under_way"]:
        lines.append(f"training  {', '.join(state['under_way'])}, unless it was killed")
    if state["older_labels"]:
        told = f"{state['older_labels']} of the cohorts have an older release's, read anew by today's rules"
        lines.append(f"labels    {told}; `stability relabel {state['folder']}` stores these")
    lines += [f"  {name}  {outcome}" for name, outcome in state.get("run_states", {}).items()]
    if state["complete"]:
        lines.append(f"next      stability report {state['folder']}")
    return "\n".join(lines)


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

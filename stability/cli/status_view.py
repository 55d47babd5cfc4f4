"""A study's state as text."""

from __future__ import annotations

from collections import Counter
from typing import Any

from stability.cli.display import outcome_counts


def as_text(state: dict[str, Any]) -> str:
    """A few lines: how far, which outcomes, what to do next."""
    counts = Counter({name: count for name, count in state["outcomes"].items() if count})
    done = "finished" if state["complete"] else "not finished"
    lines = [
        f"{state['study']} ({state['folder']}): {done}",
        f"runs      {state['runs_finished']} of {state['runs']}, {state['horizon']} steps each",
        f"cohorts   {state['cohorts_finished']} of {state['cohorts']}",
        f"outcomes  {outcome_counts(counts)}",
        f"device    {state['device']}, {state['threads']} threads",
    ]
    lines += [f"  {name}  {outcome}" for name, outcome in state.get("run_states", {}).items()]
    if state["complete"]:
        lines.append(f"next      stability report {state['folder']}")
    return "\n".join(lines)

"""What the environment of an observed study says of its runs. Imports nothing but the store's own parts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from stability.errors import StabilityError
from stability.store.files import host_name
from stability.store.store import Store

RUNS_KEY = "observed"
"""Of the environment: by run, what its owner's process said of it."""
STATE, TRAINING = "state", "training"


def with_run(
    environment: Mapping[str, Any], run: str, about: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The environment with what is known of a run: where and since when it trains, and what is said now."""
    runs = dict(environment.get(RUNS_KEY, {}))
    started = {
        STATE: TRAINING,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": host_name(),
        "pid": os.getpid(),
    }
    runs[run] = {**runs.get(run, started), **(about or {})}
    return {**environment, RUNS_KEY: runs}


def under_way(store: Store) -> tuple[str, ...]:
    """The observed runs that have not said that they are over, in the plan's order.

    They train, or their process was killed. None where the environment is lost, which an examination tells.
    """
    try:
        runs = store.environment.get(RUNS_KEY, {})
    except StabilityError:
        return ()
    return tuple(run.run for run in store.plan.runs if runs.get(run.run, {}).get(STATE) == TRAINING)

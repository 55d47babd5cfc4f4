"""The numbers behind a rule, in plain words. Imports only `signs` and `spec`."""

from __future__ import annotations

import numpy as np

from stability.outcomes.course import Visits
from stability.outcomes.signs import State, counts_modes, lately, states
from stability.spec.thresholds import Thresholds


def describe(visits: Visits, thresholds: Thresholds) -> str:
    """What the labels rest on, over the last visits: "FID excess 0.21, 9 of 10 modes, precision 0.61"."""
    said = {
        "fid": f"FID excess {lately(visits.fid_excess, thresholds):.2g}",
        "modes": f"{lately(visits.modes.astype(np.float64), thresholds):g} of {visits.n_modes[-1]} modes",
        "precision": f"precision {lately(visits.precision, thresholds):.2f}",
        "diversity": f"diversity {lately(visits.diversity, thresholds):.2g}",
    }
    if "modes" in thresholds.measures and not counts_modes(visits, thresholds):
        said["modes"] = "modes not counted (one class or none)"
    return ", ".join(said[name] for name in said if name in thresholds.measures)


def describe_past(visits: Visits, thresholds: Thresholds) -> str:
    """Whether the run was ever good: "was good from step 500, lost at step 1250", or "never good"."""
    path = states(visits, thresholds)
    good = np.flatnonzero(path == State.GOOD)
    if not len(good):
        return "never good"
    if good[-1] == len(path) - 1:
        return f"good from step {visits.step[good[0]]}"
    return f"was good from step {visits.step[good[0]]}, not since step {visits.step[good[-1] + 1]}"


def describe_saturation(visits: Visits, at: int, thresholds: Thresholds) -> str:
    """Name separation and the updates that have stopped: "separation 1.00 and generator update 0.002"."""
    updates = {
        "generator": float(visits.generator_update[at]),
        "discriminator": float(visits.discriminator_update[at]),
    }
    stuck = [
        f"{network} update {update:.2g}"
        for network, update in updates.items()
        if update < thresholds.saturated_update
    ]
    return " and ".join([f"separation {visits.separation[at]:.2f}", *stuck])


def describe_modes(visits: Visits, at: int) -> str:
    """Give modes, where they are counted, and diversity: "2 of 10 modes and diversity 0.21"."""
    modes = f"{visits.modes[at]} of {visits.n_modes[at]} modes and " if visits.n_modes[at] > 1 else ""
    return f"{modes}diversity {visits.diversity[at]:.2g}"


def last_visits(n: int) -> str:
    """Say "last visit" or "last 3 visits"."""
    return "last visit" if n == 1 else f"last {n} visits"

"""The numbers behind a rule, in plain words. Imports only `course` and `spec`."""

from __future__ import annotations

from stability.outcomes.course import Visits
from stability.spec.thresholds import Thresholds


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
    """Give modes and diversity: "2 of 10 modes and diversity 0.21"."""
    return f"{visits.modes[at]} of {visits.n_modes[at]} modes and diversity {visits.diversity[at]:.2g}"

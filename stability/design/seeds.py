"""Every seed of a study, derived from the study's own seed through numpy's SeedSequence."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What a seed is for; seeds of different purposes have nothing in common."""

    RUN = 0
    POINTS = 1
    SEARCH = 2


def run_seed(study_seed: int, point: int, replicate: int) -> int:
    """A run's seed, from 0 to below 2**63. The trial has no part in it: crossed levels share it."""
    return _derive(study_seed, Purpose.RUN, point, replicate) >> 1


def sampler_seed(study_seed: int, purpose: Purpose, position: int = 0) -> int:
    """The seed of one of Optuna's samplers, from 0 to below 2**32."""
    return _derive(study_seed, purpose, position) >> 32


def _derive(study_seed: int, *key: int) -> int:
    sequence = np.random.SeedSequence(study_seed, spawn_key=key)
    return int(sequence.generate_state(1, np.uint64)[0])

"""Plants histories: every number is healthy unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import pytest

from stability.records import Divergence, Evaluation, History, Record
from stability.spec.thresholds import MEASURES, Thresholds

EVERY = 50
"""Steps between records."""

GOOD = {"precision": 0.6, "modes": 9, "diversity": 0.9, "separation": 0.7, "fid_excess": 0.1}

BARS = Thresholds(
    measures=MEASURES,
    persist=3,
    good_precision=0.2,
    good_modes=0.5,
    lost_precision=0.1,
    lost_modes=0.3,
    lost_diversity=0.3,
    stable_excess=0.25,
    stable_precision=0.4,
    stable_modes=0.9,
    nearly_excess=0.5,
    nearly_distance=2.5,
    nearly_modes=0.75,
    nearly_recall=0.2,
    collapsed_diversity=0.2,
    recognisable_distance=2.0,
    recognisable_precision=0.1,
    saturated_separation=0.99,
    saturated_update=0.01,
    dominated_separation=0.98,
    swing=0.5,
    swings=4,
    new_ground=0.95,
    learning_horizon=1.0,
    explosion=1000.0,
    fooled_separation=0.45,
    spike_factor=10.0,
    dropped_modes=2,
    latent_ignored_diversity=0.05,
)
"""All of them spelled out: planted numbers lie close to them, and the defaults are free to move."""


class Plant:
    """Builds histories; columns are one value for all visits (or records), or one for each."""

    def record(self, step: int, **values: float) -> Record:
        healthy: dict[str, Any] = {field.name: 0.5 for field in fields(Record)}
        layers = {name: () for name in healthy if name.startswith("layer_")}
        return Record(**(healthy | layers | {"run": "r", "step": step, "penalty": None} | values))

    def evaluation(self, step: int, **values: float) -> Evaluation:
        healthy: dict[str, Any] = {field.name: 0.5 for field in fields(Evaluation)}
        named = {"run": "r", "step": step, "features": "mnist_cnn", "n_samples": 1024, "n_modes": 10}
        return Evaluation(**(healthy | {"class_shares": (0.1,) * 10, "sized": {}} | named | GOOD | values))

    def history(
        self,
        *,
        n: int = 6,
        spacing: int = 250,
        divergence: Divergence | None = None,
        trained: Mapping[str, float | Sequence[float]] | None = None,
        recorded: Mapping[str, Mapping[int, float]] | None = None,
        **columns: float | Sequence[float],
    ) -> History:
        """Plant n visits; `trained` are columns of the records, one value for each visit, `recorded` single
        records by step (elsewhere .5)."""
        lengths = [len(column) for column in columns.values() if isinstance(column, Sequence)]
        n = lengths[0] if lengths else n
        evaluations = tuple(
            self.evaluation((i + 1) * spacing, **{name: _at(column, i) for name, column in columns.items()})
            for i in range(n)
        )
        records = tuple(
            self.record(
                step,
                **{name: _at(column, (step - 1) // spacing) for name, column in (trained or {}).items()}
                | {name: at.get(step, 0.5) for name, at in (recorded or {}).items()},
            )
            for step in range(EVERY, n * spacing + 1, EVERY)
        )
        return History("r", records, evaluations, divergence, last_step=n * spacing)

    def swinging(self, *turns: int, until: int, high: float = 0.9, low: float = 0.2) -> dict[int, float]:
        """Separation by step of record: high at first, to the other side after each of the steps `turns`."""
        return {
            step: low if sum(turn < step for turn in turns) % 2 else high
            for step in range(EVERY, until + 1, EVERY)
        }


def _at(column: float | Sequence[float], i: int) -> float:
    return column[i] if isinstance(column, Sequence) else column


@pytest.fixture(scope="session")
def plant() -> Plant:
    return Plant()


@pytest.fixture(scope="session")
def bars() -> Thresholds:
    assert BARS.model_fields_set == set(Thresholds.model_fields), "no default may decide"
    return BARS

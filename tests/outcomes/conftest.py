"""Plants histories: every number is healthy unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import pytest

from stability.records import Divergence, Evaluation, History, Record

EVERY = 50
"""Steps between records."""

GOOD = {"precision": 0.6, "modes": 9, "diversity": 0.9, "separation": 0.8, "fid_ratio": 10.0}


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
        updates: Mapping[str, float | Sequence[float]] | None = None,
        losses: Mapping[str, Mapping[int, float]] | None = None,
        **columns: float | Sequence[float],
    ) -> History:
        """Plant n visits; `updates` are per visit, `losses` are single records by step (elsewhere .5)."""
        lengths = [len(column) for column in columns.values() if isinstance(column, Sequence)]
        n = lengths[0] if lengths else n
        evaluations = tuple(
            self.evaluation((i + 1) * spacing, **{name: _at(column, i) for name, column in columns.items()})
            for i in range(n)
        )
        records = tuple(
            self.record(
                step,
                **{name: _at(column, (step - 1) // spacing) for name, column in (updates or {}).items()},
                **{name: at.get(step, 0.5) for name, at in (losses or {}).items()},
            )
            for step in range(EVERY, n * spacing + 1, EVERY)
        )
        return History("r", records, evaluations, divergence, last_step=n * spacing)


def _at(column: float | Sequence[float], i: int) -> float:
    return column[i] if isinstance(column, Sequence) else column


@pytest.fixture(scope="session")
def plant() -> Plant:
    return Plant()

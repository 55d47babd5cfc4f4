from __future__ import annotations

from typing import Any

import pytest

from stability.outcomes import horizons
from stability.outcomes.horizons import architectures, horizon_notes, measured_horizons
from stability.spec import Choice, StudySpec, Thresholds, Training

ROW: dict[str, Any] = {
    "study": "losses",
    "dataset": "mnist",
    "architecture": "mlp",
    "steps": 12_000,
    "evaluate_every": 500,
    "thresholds": Thresholds().model_dump(),
    "n_runs": 384,
    "n_success": 40,
    "first": 2500,
    "half": 7000,
}


def study(steps: int, **settings: Any) -> StudySpec:
    return StudySpec(name="s", training=Training(steps=steps), **settings)


def notes(monkeypatch: pytest.MonkeyPatch, spec: StudySpec, **changes: Any) -> list[str]:
    monkeypatch.setattr(horizons, "measured_horizons", lambda: ({**ROW, **changes},))
    return horizon_notes(spec)


@pytest.mark.parametrize(
    ("steps", "verdict"),
    [
        (2499, "nothing may have succeeded yet"),
        (2500, "many runs may not have succeeded yet"),
        (7000, "long enough for half of those that succeeded"),
    ],
)
def test_the_horizon_is_held_against_what_was_measured(
    monkeypatch: pytest.MonkeyPatch, steps: int, verdict: str
) -> None:
    (note,) = notes(monkeypatch, study(steps))
    assert note == (
        f"horizon {steps:,}, {verdict}: in the study losses (384 runs of mlp, 12,000 steps, "
        "a visit every 500) the first succeeded at step 2,500, half of the 40 that ever did by step 7,000"
    )


def test_other_thresholds_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    (note,) = notes(monkeypatch, study(3000, outcomes=Thresholds(persist=5)))
    assert note.endswith(f"; measured with persist {Thresholds().persist} (here 5)")


def test_where_none_ever_succeeded(monkeypatch: pytest.MonkeyPatch) -> None:
    (note,) = notes(monkeypatch, study(3000), n_success=0, first=None, half=None)
    assert note.endswith("no run ever succeeded")


def test_what_was_not_measured_is_not_spoken_of(monkeypatch: pytest.MonkeyPatch) -> None:
    assert notes(monkeypatch, study(3000, dataset="ring")) == []
    assert notes(monkeypatch, study(3000, fixed={"architecture": "dcgan"})) == []
    both = study(3000, space={"architecture": Choice(values=("dcgan", "mlp"))})
    assert architectures(both) == ("dcgan", "mlp")
    assert len(notes(monkeypatch, both)) == 1


def test_the_packaged_measurements_have_these_fields() -> None:
    assert all(set(row) == set(ROW) for row in measured_horizons())

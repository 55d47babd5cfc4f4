from __future__ import annotations

import dataclasses

import pytest
from many_runs import make_many

from stability.outcomes.labels import label
from stability.questions.time_to_event.horizons import first_success, horizon_facts
from stability.reading.frames import StudyFrames, load
from stability.reading.histories import HistoriesOf, stored_histories
from stability.records import History, Outcome
from stability.store import Store


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> StudyFrames:
    return load(make_many(tmp_path_factory.mktemp("horizons") / "many", 2, 1).folder)


@pytest.fixture(scope="module")
def histories_of(frames: StudyFrames) -> HistoriesOf:
    return stored_histories(Store.open(frames.folder))


def success_at(history: History, frames: StudyFrames) -> list[int]:
    """The visits at which it would have been labelled stable or nearly stable."""
    steps = [visit.step for visit in history.evaluations]
    labels = {step: label(history, frames.spec.outcomes, horizon=step).outcome for step in steps}
    return [step for step in steps if labels[step] in (Outcome.STABLE, Outcome.NEARLY_STABLE)]


def test_the_first_success_is_the_first_visit_with_such_a_label(
    frames: StudyFrames, histories_of: HistoriesOf
) -> None:
    histories = list(histories_of(list(frames.runs["run"])))
    seen = [success_at(history, frames) for history in histories]
    assert [first_success(history, frames.spec.outcomes) for history in histories] == [
        steps[0] if steps else None for steps in seen
    ]
    assert any(seen)
    assert not all(seen)


def test_the_facts_of_every_architecture(frames: StudyFrames, histories_of: HistoriesOf) -> None:
    runs = frames.runs
    halves = ["mlp" if place % 2 else "dcgan" for place in range(len(runs))]
    two = dataclasses.replace(frames, runs=runs.assign(architecture=halves))
    facts = {row["architecture"]: row for row in horizon_facts(two, histories_of)}
    assert set(facts) == {"mlp", "dcgan"}
    first = {
        history.run: first_success(history, frames.spec.outcomes)
        for history in histories_of(list(frames.runs["run"]))
    }
    for name, row in facts.items():
        mine = [first[run] for run, own in zip(runs["run"], halves, strict=True) if own == name]
        steps = sorted(step for step in mine if step is not None)
        assert (row["n_runs"], row["n_success"], row["first"]) == (len(mine), len(steps), steps[0])
        assert 2 * sum(step <= row["half"] for step in steps) >= len(steps)
        assert 2 * sum(step < row["half"] for step in steps) < len(steps)


def test_a_study_without_successes_and_a_search(frames: StudyFrames, histories_of: HistoriesOf) -> None:
    strict = frames.spec.model_copy(
        update={
            "outcomes": frames.spec.outcomes.model_copy(update={"stable_excess": 1e-9, "nearly_excess": 1e-9})
        }
    )
    (row,) = horizon_facts(dataclasses.replace(frames, spec=strict), histories_of)
    assert (row["n_success"], row["first"], row["half"]) == (0, None, None)
    search = dataclasses.replace(frames, runs=frames.runs.assign(adaptive=True))
    assert horizon_facts(search, histories_of) == []

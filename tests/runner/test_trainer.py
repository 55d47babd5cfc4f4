from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from small_studies import CPU, count_seconds, small_evaluator, small_spec

from stability.design.plan import make_plan
from stability.gan.metrics.evaluation import Evaluator
from stability.gan.networks import ImageShape, find_pair
from stability.gan.training.placement import Placement
from stability.gan.training.streams import picture_noise
from stability.records import Outcome
from stability.runner.trainer import PICTURES, CohortTrainer
from stability.runner.views import first_view
from stability.spec import Run, StudySpec, Thresholds
from stability.store import DamagedCheckpoint
from stability.store.checkpoints import decode_checkpoint, encode_checkpoint

WILD = ("space.lr=[0.001, 1.0e30]", "space.loss=[hinge]", "design.cross=[lr]", "design.seeds=1")


@pytest.fixture(scope="module")
def evaluator(_small_world: None) -> Evaluator:
    return small_evaluator(small_spec())


def trainer_of(spec: StudySpec, evaluator: Evaluator) -> CohortTrainer:
    return CohortTrainer(runs_of(spec), spec, evaluator, Placement(CPU), stop_thresholds=spec.outcomes)


def runs_of(spec: StudySpec) -> list[Run]:
    return list(make_plan(spec, device="cpu", threads=1).runs)


@pytest.mark.parametrize(
    ("steps", "every", "visits"),
    [
        (40, 10, [20, 40]),
        (45, 10, [20, 40, 45]),
        (15, 10, [15]),
        (41, 7, [20, 40, 41]),
        (20, 50, [20]),
        (1, 1, [1]),
    ],
)
def test_records_and_visits_come_when_they_are_due(
    evaluator: Evaluator, steps: int, every: int, visits: list[int]
) -> None:
    spec = small_spec(f"training.steps={steps}", f"recording.every={every}", "design.points=1")
    trainer = trainer_of(spec, evaluator)
    assert sum(trainer.advance()) == 6 * steps
    for run, history in zip(runs_of(spec), trainer.data().histories, strict=True):
        assert history.run == run.run
        assert [record.step for record in history.records] == list(range(every, steps + 1, every))
        assert [evaluation.step for evaluation in history.evaluations] == visits
        assert history.last_step == steps


def test_the_last_visit_takes_the_final_samples_too(evaluator: Evaluator) -> None:
    spec = small_spec("recording.final_samples=96", "design.points=1", "design.seeds=1")
    trainer = trainer_of(spec, small_evaluator(spec))
    for _ in trainer.advance():
        pass
    for history in trainer.data().histories:
        first, last = history.evaluations
        assert set(first.sized) == {"fid_mnist_cnn_64"}
        assert set(last.sized) == {"fid_mnist_cnn_64", "fid_mnist_cnn_96"}
    plain = trainer_of(small_spec("design.points=1", "design.seeds=1"), evaluator)
    for _ in plain.advance():
        pass
    for more, fewer in zip(trainer.data().histories, plain.data().histories, strict=True):
        for one, other in zip(more.evaluations, fewer.evaluations, strict=True):
            name = "fid_mnist_cnn_64"
            assert one.sized[name] == other.sized[name]
            assert dataclasses.replace(one, sized={}) == dataclasses.replace(other, sized={})


def test_every_visit_leaves_pictures_and_time(evaluator: Evaluator) -> None:
    spec = small_spec("design.points=1")
    trainer = trainer_of(spec, evaluator)
    for _ in trainer.advance():
        pass
    data = trainer.data()
    for run in runs_of(spec):
        film = data.filmstrips[run.run]
        assert film.steps == (20, 40)
        assert film.images.shape == (2, min(PICTURES, run.config.batch_size), 28, 28, 1)
        assert not np.array_equal(film.images[0], film.images[1])
        assert data.seconds[run.run] > 0
    one, other = (data.filmstrips[name].images for name in ("p000-minimax-s0", "p000-wasserstein-s0"))
    assert not np.array_equal(one, other)


def test_time_is_shared_among_those_that_train(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock on which a step takes a second for each run that trains."""
    trainer = trainer_of(small_spec(*WILD, "training.steps=120"), evaluator)
    count_seconds(monkeypatch)
    for _ in trainer.advance():
        pass
    seconds = trainer.data().seconds
    for point in range(2):
        assert seconds[f"p00{point}-0.001-s0"] == pytest.approx(120)
        assert seconds[f"p00{point}-1e30-s0"] == pytest.approx(10)  # it leaves at the first records


def test_a_run_without_visits_has_no_film(evaluator: Evaluator) -> None:
    spec = small_spec(*WILD)
    trainer = trainer_of(spec, evaluator)
    for _ in trainer.advance():
        pass
    data = trainer.data()
    outcomes = {result.run: result.outcome for result in data.results}
    wild = [run for run, outcome in outcomes.items() if outcome is Outcome.DIVERGED]
    assert wild == ["p000-1e30-s0", "p001-1e30-s0"]
    assert set(data.filmstrips) == set(outcomes) - set(wild)


def test_members_that_stop_are_compacted_away(evaluator: Evaluator) -> None:
    trainer = trainer_of(small_spec(*WILD), evaluator)
    laps = list(trainer.advance())
    assert laps == [40, 20, 20, 20]
    assert trainer.active == 2
    assert [track.stopped for track in trainer.tracks.values()] == [False, True, False, True]


def test_with_nobody_left_it_ends(evaluator: Evaluator) -> None:
    trainer = trainer_of(small_spec("space.lr=[1.0e30]", "space.loss=[hinge]"), evaluator)
    assert list(trainer.advance()) == [4 * 10]
    assert (trainer.active, trainer.step) == (0, 10)
    assert {result.outcome for result in trainer.results()} == {Outcome.DIVERGED}


STRICT = ("outcomes={persist: 1, saturated_update: 1.0e+9}", "training.stop_on=[saturated]")
"""By a threshold this high both networks have stopped moving from the first visit on."""


def test_a_saturation_that_lasts_stops_its_run(evaluator: Evaluator) -> None:
    spec = small_spec(*STRICT, "design.points=1")
    trainer = trainer_of(spec, evaluator)
    assert sum(trainer.advance()) == 6 * 20
    for result in trainer.results():
        assert (result.outcome, result.step, result.stopped) == (Outcome.SATURATED, 20, True)


def test_runs_stop_by_other_thresholds_than_they_are_labelled_with(evaluator: Evaluator) -> None:
    spec = small_spec("training.stop_on=[saturated]", "design.points=1")
    strict = Thresholds(persist=1, saturated_update=1e9)
    trainer = CohortTrainer(runs_of(spec), spec, evaluator, Placement(CPU), stop_thresholds=strict)
    assert sum(trainer.advance()) == 6 * 20
    assert all(result.stopped for result in trainer.results())
    assert Outcome.SATURATED not in {result.outcome for result in trainer.results()}


@pytest.mark.parametrize("overrides", [(), WILD], ids=["healthy", "diverging"])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_checkpoint_goes_on_bit_for_bit(evaluator: Evaluator, overrides: tuple[str, ...], k: int) -> None:
    spec = small_spec(*overrides)
    whole, first, second = (trainer_of(spec, evaluator) for _ in range(3))
    for _ in whole.advance():
        pass
    laps = first.advance()
    for _ in range(k):
        next(laps)
    arrays, note = first.checkpoint()
    second.resume(arrays, json.loads(json.dumps(note)))
    assert (second.step, second.active) == (first.step, first.active)
    for _ in second.advance():
        pass
    assert repr(second.data().histories) == repr(whole.data().histories)
    assert second.data().results == whole.data().results
    for name, film in whole.data().filmstrips.items():
        assert np.array_equal(film.images, second.data().filmstrips[name].images)
        assert film.steps == second.data().filmstrips[name].steps


def test_a_checkpoint_is_a_copy(evaluator: Evaluator) -> None:
    trainer = trainer_of(small_spec(), evaluator)
    laps = trainer.advance()
    next(laps)
    arrays, _ = trainer.checkpoint()
    before = {name: value.copy() for name, value in arrays.items()}
    next(laps)
    assert all(np.array_equal(value, arrays[name]) for name, value in before.items())


# --- kept weights -----------------------------------------------------------------------------------------

KEPT = ("recording.keep_weights=true", "design.points=1")


def trained(spec: StudySpec, evaluator: Evaluator) -> CohortTrainer:
    trainer = trainer_of(spec, evaluator)
    for _ in trainer.advance():
        pass
    return trainer


def test_nothing_is_kept_unless_asked_and_asking_changes_no_number(evaluator: Evaluator) -> None:
    plain = trained(small_spec("design.points=1"), evaluator).data()
    keeping = trained(small_spec(*KEPT), evaluator).data()
    assert (plain.weights, plain.latent_views) == ({}, {})
    assert repr(keeping.histories) == repr(plain.histories)
    assert set(keeping.weights) == set(keeping.latent_views) == set(keeping.seconds)


def test_kept_weights_make_the_last_pictures(evaluator: Evaluator) -> None:
    spec = small_spec(*KEPT)
    data = trained(spec, evaluator).data()
    for run in runs_of(spec):
        weights = data.weights[run.run]
        assert {name.partition(".")[0] for name in weights} == {"generator", "discriminator"}
        generator = find_pair("mlp").generator(run.config, ImageShape(1, 28))
        own = {n.removeprefix("generator."): torch.from_numpy(v) for n, v in weights.items() if n[0] == "g"}
        generator.load_state_dict(own)
        with torch.no_grad():
            images = generator(picture_noise(run.config.batch_size, run.config.latent_dim))[:PICTURES, 0]
        last = data.filmstrips[run.run].images[-1, :, :, :, 0]
        assert np.abs(((images + 1) * 127.5).numpy() - last).max() <= 1


def test_the_average_is_kept_and_shown_where_there_is_one(evaluator: Evaluator) -> None:
    spec = small_spec(*KEPT, "fixed.ema_decay=0.9", "space.loss=[hinge]")
    data = trained(spec, evaluator).data()
    for run, weights in data.weights.items():
        assert {name.partition(".")[0] for name in weights} == {"generator", "discriminator", "average"}
        own = {name: value for name, value in weights.items() if not name.startswith("average.")}
        view = first_view(trainer_of(spec, evaluator).tracks[run].run, evaluator.dataset, own)
        assert view is not None
        assert not np.array_equal(view.images, data.latent_views[run].images)


def test_a_run_that_stopped_keeps_the_weights_it_stopped_with(evaluator: Evaluator) -> None:
    spec = small_spec(*WILD, "recording.keep_weights=true")
    trainer = trainer_of(spec, evaluator)
    laps = trainer.advance()
    before = trainer.cohort.member_weights(1)
    next(laps)
    data = trainer.data()
    stopped, other = (run.run for run in runs_of(spec)[1::-1])
    assert trainer.tracks[stopped].stopped
    assert not np.isfinite(data.weights[stopped]["generator.body.0.weight"]).all()
    assert data.weights[stopped].keys() == before.keys()
    for _ in laps:
        pass
    later = trainer.data().weights
    assert weight_bytes(later[stopped]) == weight_bytes(data.weights[stopped])
    assert weight_bytes(later[other]) != weight_bytes(data.weights[other])


@pytest.mark.parametrize("overrides", [WILD, STRICT], ids=["diverging", "saturated"])
def test_weights_of_stopped_runs_survive_a_resume(evaluator: Evaluator, overrides: tuple[str, ...]) -> None:
    spec = small_spec(*overrides, "recording.keep_weights=true")
    whole = trained(spec, evaluator)
    first, second = (trainer_of(spec, evaluator) for _ in range(2))
    laps = first.advance()
    while not any(track.stopped for track in first.tracks.values()):
        next(laps)
    arrays, note = first.checkpoint()
    read = decode_checkpoint(encode_checkpoint(arrays, note))
    assert not isinstance(read, DamagedCheckpoint)
    second.resume(*read)
    for _ in second.advance():
        pass
    one, other = whole.data(), second.data()
    assert {name: weight_bytes(own) for name, own in one.weights.items()} == {
        name: weight_bytes(own) for name, own in other.weights.items()
    }
    for name, view in one.latent_views.items():
        assert np.array_equal(view.images, other.latent_views[name].images)


def test_a_checkpoint_that_every_run_had_left_goes_on_at_their_last_step(evaluator: Evaluator) -> None:
    spec = small_spec(*STRICT)
    whole, again = trained(spec, evaluator), trainer_of(spec, evaluator)
    assert whole.active == 0
    again.resume(*whole.checkpoint())
    assert 0 < again.step == whole.step < spec.training.steps
    assert list(again.advance()) == []


def test_a_checkpoint_after_the_last_step_loses_no_weights(evaluator: Evaluator) -> None:
    spec = small_spec(*KEPT)
    whole, again = trained(spec, evaluator), trainer_of(spec, evaluator)
    again.resume(*whole.checkpoint())
    assert list(again.advance()) == []
    for name, own in whole.data().weights.items():
        assert weight_bytes(again.data().weights[name]) == weight_bytes(own)


def weight_bytes(weights: Mapping[str, NDArray[Any]]) -> dict[str, bytes]:
    """Bit for bit, NaN included."""
    return {name: value.tobytes() for name, value in weights.items()}

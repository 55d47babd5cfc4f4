"""One cohort from its first step to its labels: trains, visits, stops members, goes on from a checkpoint."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from stability.gan.metrics.evaluation import Evaluator
from stability.gan.training.cohort import Cohort
from stability.gan.training.placement import Placement
from stability.outcomes import label, stop_reason
from stability.records import Divergence, Evaluation, History, Record, RunResult
from stability.runner.devices import this_machine
from stability.runner.views import first_view
from stability.runner.visit import visit
from stability.spec import Run, StudySpec, Thresholds
from stability.store import CohortData, CohortState, FilmStrip, decode_history, encode_history

COHORT = "cohort/"
"""What the names of a checkpoint's arrays begin with that have a row for every run that trains."""
PICTURES = 64
"""Images of the fixed noise kept at every visit, but not more than a training batch has."""


@dataclass(slots=True)
class Track:
    """What has been seen of one run so far."""

    run: Run
    records: list[Record] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    pictures: list[NDArray[np.uint8]] = field(default_factory=list)
    picture_steps: list[int] = field(default_factory=list)
    weights: dict[str, NDArray[Any]] = field(default_factory=dict)
    """What the run stopped with, if weights are kept; while it trains the cohort has them."""
    divergence: Divergence | None = None
    last_step: int = 0
    seconds: float = 0.0
    stopped: bool = False

    def history(self) -> History:
        """Frozen, for the outcome rules and the store."""
        return History(
            self.run.run, tuple(self.records), tuple(self.evaluations), self.divergence, self.last_step
        )

    def film(self) -> FilmStrip:
        """The pictures as one strip."""
        return FilmStrip(tuple(self.picture_steps), np.stack(self.pictures))


class _Lap:
    """Steps and seconds since the last yield, the seconds shared among the runs that trained."""

    def __init__(self, trainer: CohortTrainer) -> None:
        self._trainer = trainer
        self._start()

    def _start(self) -> None:
        self._clock = time.perf_counter()
        self._step = self._trainer.step
        self._runs = self._trainer.cohort.runs

    def done(self) -> int:
        """Book the lap, start the next; return its member-steps."""
        seconds = time.perf_counter() - self._clock
        for run in self._runs:
            self._trainer.tracks[run.run].seconds += seconds / len(self._runs)
        member_steps = (self._trainer.step - self._step) * len(self._runs)
        self._start()
        return member_steps


class CohortTrainer:
    """Trains a cohort's runs to the horizon or to their stop.

    Between two yields of `advance` everything is consistent: that is when to look, checkpoint or leave.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        spec: StudySpec,
        evaluator: Evaluator,
        placement: Placement,
        *,
        stop_thresholds: Thresholds,
    ) -> None:
        """Runs stop by `stop_thresholds` and are labelled with the study's own."""
        self.spec = spec
        self.stop_thresholds = stop_thresholds
        self.evaluator = evaluator
        self.tracks = {run.run: Track(run) for run in runs}
        dataset = evaluator.dataset
        self.cohort = Cohort(runs, dataset.train, placement, labels=dataset.train_labels)
        self._active = True
        self._visit_is_due = False
        """Of the step that the cohort stands at, before it trains on."""

    @property
    def step(self) -> int:
        """The steps that every active run has had; once none is left, those of the last to leave."""
        if self._active:
            return self.cohort.step
        return max(track.last_step for track in self.tracks.values())

    @property
    def active(self) -> int:
        """How many runs still train."""
        return len(self.cohort.runs) if self._active else 0

    def advance(self) -> Iterator[int]:
        """Train; yield the number of member-steps done since the last yield."""
        recording, horizon = self.spec.recording, self.spec.training.steps
        if self._visit_is_due:
            lap = _Lap(self)
            self._visit_is_due = False
            self._visit()
            yield lap.done()
        while self._active and self.step < horizon:
            stop = min((self.step // recording.evaluate_every + 1) * recording.evaluate_every, horizon)
            lap = _Lap(self)
            for records in self.cohort.train(stop, recording.every):
                self._take(records)
                if not self._active:
                    yield lap.done()
                    return
                if self.step < stop:
                    yield lap.done()
            self._visit()
            yield lap.done()

    def _take(self, records: Sequence[Record]) -> None:
        for record in records:
            self.tracks[record.run].records.append(record)
        self._note_progress()
        if "diverged" in self.spec.training.stop_on:
            self._stop({run for run, track in self.tracks.items() if track.divergence is not None})

    def _note_progress(self) -> None:
        for run, divergence in zip(self.cohort.runs, self.cohort.divergences(), strict=True):
            self.tracks[run.run].divergence = divergence
            self.tracks[run.run].last_step = self.step

    def _visit(self) -> None:
        self._note_progress()
        final = self.step == self.spec.training.steps
        recording = self.spec.recording
        n = recording.final_samples if final else recording.samples
        seen = visit(self.cohort, self.evaluator, n)
        pictures = self.cohort.pictures(PICTURES).cpu().numpy()
        for k, run in enumerate(self.cohort.runs):
            track = self.tracks[run.run]
            track.evaluations.append(seen.evaluate(k))
            track.pictures.append(pictures[k])
            track.picture_steps.append(self.step)
        if not final:
            self._stop(self._due_to_stop())

    def _due_to_stop(self) -> set[str]:
        stop_on, thresholds = self.spec.training.stop_on, self.stop_thresholds
        return {
            run.run
            for run in self.cohort.runs
            if stop_reason(self.tracks[run.run].history(), thresholds, stop_on) is not None
        }

    def _stop(self, names: set[str]) -> None:
        leaving = [run.run for run in self.cohort.runs if run.run in names]
        if not leaving:
            return
        if self.spec.recording.keep_weights:
            for name, weights in self._cohort_weights().items():
                if name in names:
                    self.tracks[name].weights = weights
        for name in leaving:
            self.tracks[name].stopped = True
        keep = [k for k, run in enumerate(self.cohort.runs) if run.run not in names]
        if keep:
            self.cohort.select(keep)
        else:
            self._active = False

    # --- results and checkpoints ----------------------------------------------------------------------

    def results(self) -> tuple[RunResult, ...]:
        """The labels by what is known so far."""
        return tuple(
            label(
                track.history(),
                self.spec.outcomes,
                horizon=self.spec.training.steps,
                stopped=track.stopped,
            )
            for track in self.tracks.values()
        )

    def data(self) -> CohortData:
        """All that is kept of the finished cohort."""
        tracks = self.tracks
        weights = self._weights() if self.spec.recording.keep_weights else {}
        views = {
            name: first_view(tracks[name].run, self.evaluator.dataset, own) for name, own in weights.items()
        }
        return CohortData(
            results=self.results(),
            histories=tuple(track.history() for track in tracks.values()),
            seconds={name: track.seconds for name, track in tracks.items()},
            filmstrips={name: track.film() for name, track in tracks.items() if track.pictures},
            weights=weights,
            latent_views={name: view for name, view in views.items() if view is not None},
            machine=this_machine(self.cohort.placement.device),
            state=self._state() if self.spec.recording.keep_state else None,
        )

    def _state(self) -> CohortState:
        """What the runs that have not stopped go on from."""
        return CohortState(self.spec.training.steps, self._names(), self._cohort_arrays())

    def _names(self) -> tuple[str, ...]:
        return tuple(run.run for run in self.cohort.runs) if self._active else ()

    def _cohort_arrays(self) -> dict[str, NDArray[Any]]:
        """A row for every run, without the copy that a lone one is padded with; numbers as they are."""
        if not self._active:
            return {}
        state, n = self.cohort.state(), len(self.cohort.runs)
        return {
            f"{COHORT}{name}": (value[:n] if value.dim() else value).cpu().numpy()
            for name, value in state.items()
        }

    def _weights(self) -> dict[str, dict[str, NDArray[Any]]]:
        """Every run's weights as they are now, or as they were when it stopped; broken ones stay broken."""
        training = self._cohort_weights() if self._active else {}
        return {
            name: track.weights if track.stopped else training[name] for name, track in self.tracks.items()
        }

    def _cohort_weights(self) -> dict[str, dict[str, NDArray[Any]]]:
        return {
            run.run: {name: value.cpu().numpy() for name, value in self.cohort.member_weights(k).items()}
            for k, run in enumerate(self.cohort.runs)
        }

    def checkpoint(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and a JSON note from which `resume` goes on bit for bit."""
        return encode_tracks(self._state(), self.tracks.values())

    def resume(self, arrays: Mapping[str, NDArray[Any]], note: Mapping[str, Any]) -> None:
        """Go on from a checkpoint of the same runs."""
        for kept in note["tracks"]:
            history = decode_history(kept["history"])
            track = self.tracks[history.run]
            track.records = list(history.records)
            track.evaluations = list(history.evaluations)
            track.divergence, track.last_step = history.divergence, history.last_step
            track.pictures = list(arrays.get(f"pictures/{history.run}", ()))
            track.picture_steps = list(kept["picture_steps"])
            track.weights = _below(f"weights/{history.run}/", arrays)
            track.seconds, track.stopped = kept["seconds"], kept["stopped"]
        self._active = bool(note["active"])
        if self._active:
            names = [run.run for run in self.cohort.runs]
            self.cohort.select([names.index(name) for name in note["active"]])
            state = _below(COHORT, arrays)
            self.cohort.load_state({name: torch.from_numpy(np.array(value)) for name, value in state.items()})
            if note.get("horizon") == self.step < self.spec.training.steps:
                self._forget_last_visit()

    def _forget_last_visit(self) -> None:
        """Undo the visit at the end of a shorter plan, which took larger samples and stopped nothing.

        Here it is a visit like any other, or none at all.
        """
        for run in self.cohort.runs:
            track = self.tracks[run.run]
            track.evaluations.pop()
            track.pictures.pop()
            track.picture_steps.pop()
        self._visit_is_due = self.step % self.spec.recording.evaluate_every == 0


def encode_tracks(
    state: CohortState, tracks: Iterable[Track]
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """A checkpoint: the arrays and the JSON note that `CohortTrainer.resume` takes."""
    arrays = dict(state.arrays)
    kept: list[dict[str, Any]] = []
    for track in tracks:
        if track.pictures:
            arrays[f"pictures/{track.run.run}"] = np.stack(track.pictures)
        arrays |= {f"weights/{track.run.run}/{key}": value for key, value in track.weights.items()}
        kept.append(
            {
                "history": encode_history(track.history()),
                "picture_steps": track.picture_steps,
                "seconds": track.seconds,
                "stopped": track.stopped,
            }
        )
    return arrays, {"horizon": state.horizon, "active": list(state.active), "tracks": kept}


def checkpoint_part(
    runs: Collection[str], arrays: Mapping[str, NDArray[Any]], note: Mapping[str, Any]
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Of a cohort's checkpoint what a cohort of some of its runs, in the same order, would have kept."""
    rows = [row for row, run in enumerate(note["active"]) if run in runs]
    state = _below(COHORT, arrays) if rows else {}
    own = {f"{COHORT}{name}": value[rows] if value.ndim else value for name, value in state.items()}
    own |= {
        name: value
        for name, value in arrays.items()
        if not name.startswith(COHORT) and name.split("/")[1] in runs
    }
    tracks = [track for track in note["tracks"] if track["history"]["run"] in runs]
    return own, {**note, "active": [note["active"][row] for row in rows], "tracks": tracks}


def _below(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays whose names begin so, without that beginning."""
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}

"""`Monitor`: a training loop of somebody else's under the same microscope, by three lines in it.

What it does never ends a training: whatever fails after the first step is told once and left out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, get_args

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from stability.errors import StabilityError
from stability.gan.metrics.evaluation import Evaluator
from stability.gan.metrics.features import Features
from stability.gan.metrics.own import OwnMetric
from stability.gan.training.diagnostics import first_bad_tensor, note_bad
from stability.monitor.folder import PATIENCE, Customs, ObservedFolder, Wanted, run_of
from stability.monitor.news import News
from stability.monitor.real import RealData, read_real
from stability.monitor.settings import plain_settings, seed_of
from stability.monitor.taps import LOSSES, Taps
from stability.monitor.telling import Telling
from stability.monitor.visits import Sample, Visitor, left_alone
from stability.outcomes import label, stop_reason
from stability.records import Divergence, Evaluation, Event, Record, RunResult
from stability.runner.devices import this_machine
from stability.runner.trainer import Track
from stability.spec import Recording, Thresholds
from stability.spec.study import UNDECLARED, StopOutcome
from stability.store import CohortData
from stability.vocabulary.losses import LOSSES as KNOWN_LOSSES
from stability.vocabulary.own_code import one_line

Drawn = Literal["random", "sobol", "grid", "tpe"]
SHARE = 0.02
"""Writing waits until it takes no more than this share of the time; the last state is always written."""
MISSING = {
    ("loss_d",): "no loss_d was given",
    ("loss_g",): "no loss_g was given",
    ("real_logit_mean", "fake_logit_mean", "separation"): "real_logits and fake_logits were not both given",
    ("grad_norm_g", "generator_update"): "no torch optimiser took a step with the generator's weights",
    (
        "grad_norm_d",
        "discriminator_update",
    ): "no torch optimiser took a step with the discriminator's weights",
    ("signal", "fake_grad_norm"): "no backward pass through the discriminator to generated images was seen "
    "(nor can one be read under float16 autocast, whose losses are scaled)",
}
"""Fields of a record that may be missing together, and why."""


class Monitor:
    """Watches one run of a training loop, tells what happens in it, and keeps it in a results folder.

    ```python
    with Monitor("results/my-gan", run="hinge-2e-4", generator=G, discriminator=D, real=train_images,
                 sample=draw, config={"loss": "hinge", "lr_d": 4e-4}) as monitor:
        for step, batch in enumerate(loader, 1):
            ...
            monitor.step(loss_d=loss_d, loss_g=loss_g, real_logits=d_real, fake_logits=d_fake)
    ```

    `stability report`, `status`, `show` and `load` take the folder at any time. Several runs, of one process
    or of several, make one observed study. Only what is given is needed; what is missing is named once.
    """

    def __init__(  # noqa: PLR0913 (a user's options are its parameters)
        self,
        folder: str | Path,
        *,
        run: str | None = None,
        generator: nn.Module | None = None,
        discriminator: nn.Module | None = None,
        real: Any = None,
        held_out: Any = None,
        sample: Sample | None = None,
        config: Mapping[str, Any] | None = None,
        features: Features = None,
        metrics: Mapping[str, OwnMetric] | None = None,
        dataset: str = "own data",
        steps: int | None = None,
        every: int = 10,
        evaluate_every: int = 500,
        samples: int = 1024,
        drawn: Drawn | None = None,
        sigmoid: bool | None = None,
        outcomes: Thresholds | Mapping[str, Any] | None = None,
        stop_on: Collection[StopOutcome] = (),
        on_event: Callable[[Event | Divergence], None] | None = None,
    ) -> None:
        """Prepare; nothing is written or computed before the `with` block begins.

        Args:
            folder: the results folder, which the first run lays; every further run is added.
            run: its name; one that is taken gets a number.
            generator: for its gradients and updates.
            discriminator: for the same, and to judge samples and held-out examples at visits. Of data
                parallel processes rank 0 monitors.
            real: training examples: a tensor or array, images `[n, c, h, w]` (bytes, or floats in -1..1 or
                0..1) or vectors `[n, d]`, or a data set or loader of them. At most 10,000 are compared with.
            held_out: others that were not trained on; by default every tenth of `real`.
            sample: `sample(n)` gives n generated examples like `real`; asked for 64 at a time.
            config: the run's settings by any names; `seed` tells runs of one setting apart.
            features: a classifier's file (`stability classifier train`), `inception:WEIGHTS`, a function of
                images in -1..1 that gives features or (features, logits); None chooses by the images.
            metrics: of your own, by name: functions of (images, real), both in -1..1, that give a number.
            dataset: what the page calls the data.
            steps: how long it is going to train, if that is known.
            every: steps between records.
            evaluate_every: steps between visits.
            samples: generated examples measured at a visit.
            drawn: how settings were drawn: `random`, `sobol` or `grid`, which rates need; `tpe` is a search.
            sigmoid: whether sigmoid(logit) is a probability; by default as `config["loss"]` has it, if known.
            outcomes: thresholds of the rules that differ from the defaults; a folder's first run decides.
            stop_on: what `should_stop` is true for: `diverged`, `saturated`, `collapsed`.
            on_event: told every event, when it has lasted, and a divergence at once.

        Raises:
            StabilityError: an option cannot be what it is.

        """
        self._active = _rank() == 0
        self._folder = Path(folder)
        settings = dict(config or {})
        self._wanted = Wanted(run, plain_settings(settings), seed_of(settings), drawn or UNDECLARED)
        self._generator, self._discriminator = generator, discriminator
        self._real, self._sample, self._features = (real, held_out), sample, features
        self._stop_on, self._on_event = frozenset(stop_on), on_event
        _check_choices(drawn, stop_on, steps)
        self._metrics = _checked_metrics(metrics or {})
        self._device = _device_of(generator, discriminator)
        self._customs = Customs(
            dataset=dataset,
            recording=_checked(every, evaluate_every, samples),
            thresholds=_thresholds(outcomes),
            steps=steps or 1,
            device=str(self._device),
        )
        known = KNOWN_LOSSES.get(str(settings.get("loss")))
        says = known.sigmoid if known is not None else False
        self._taps = Taps(
            generator, discriminator, self._device, sigmoid=says if sigmoid is None else sigmoid
        )
        self._step = 0
        self._batch = 64
        self._bad = torch.full((len(LOSSES),), torch.inf)
        self._visitor: Visitor | None = None
        self._kept: ObservedFolder | None = None
        self._telling = Telling(run or "monitor")
        self._track = Track(run_of(self._wanted, (), self._telling.note))
        self._news = News(self._customs.thresholds)
        self._should_stop = False
        self._own, self._writing, self._begun = 0.0, 0.0, time.perf_counter()
        self.alarms: list[Event | Divergence] = []
        """What has been told as an alarm: a divergence, a collapse, a saturation, an explosion."""

    # --- what the loop calls ------------------------------------------------------------------------------

    def __enter__(self) -> Monitor:
        """Enter the folder.

        Raises StabilityError where the folder holds something else, or where the examples or features that
        are given cannot be used: nothing has been trained yet.
        """
        self._begun = time.perf_counter()
        if not self._active:
            return self
        say = self._telling
        real, held_out = self._real
        if self._sample is None or real is None:
            say.warn("no visits, and so no outcome but a divergence: give sample and real")
        else:
            with left_alone():  # a loader draws its order
                data = read_real(real, held_out, self._device, say.note)
            self._visitor = self._visitor_of(data, self._sample)
        self._kept = ObservedFolder.enter(self._folder, self._wanted, self._customs, say.warn)
        self._track = Track(self._kept.run)
        say.name, self._news.thresholds = self.run, self._kept.thresholds
        if self._kept.thresholds != self._customs.thresholds:
            say.warn("labelled with the thresholds of the folder's first run, not with its own")
        if self._customs.recording.every == 1:
            self._taps.arm()
        self._own += time.perf_counter() - self._begun
        return self

    def step(
        self,
        *,
        loss_d: Any = None,
        loss_g: Any = None,
        penalty: Any = None,
        real_logits: Tensor | None = None,
        fake_logits: Tensor | None = None,
    ) -> None:
        """Say that a step is over, and what was in it: tensors as they are, or numbers; whatever there is."""
        if not self._active:
            return
        start = time.perf_counter()
        self._step += 1
        self._track.last_step = self._step
        told = {"loss_d": loss_d, "loss_g": loss_g, "penalty": penalty}
        recording, attempt = self._customs.recording, self._telling.attempt
        attempt("look for what is not finite", partial(self._check, told))
        if self._step % recording.every == 0:
            told |= {"real_logits": real_logits, "fake_logits": fake_logits}
            attempt("record a step", partial(self._record, told))
        if self._step % recording.evaluate_every == 0:
            self._visit()
            self._write_if_cheap()
        if (self._step + 1) % recording.every == 0:
            attempt("look into a step", self._taps.arm)
        self._own += time.perf_counter() - start

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Visit the run as it is, and keep it; what ended the loop goes on its way."""
        if not self._active:
            return
        self._taps.disarm()
        visits = self._track.evaluations
        if kind is None and self._step and not (visits and visits[-1].step == self._step):
            self._visit()
        self._track.stopped = self._should_stop
        state = "ended" if kind is None else f"ended by {kind.__name__}"
        self._telling.attempt("write the results", partial(self._write, state, patience=PATIENCE))
        if self._step:
            self._telling.attempt("tell the outcome", self._tell_outcome)

    # --- what it says -------------------------------------------------------------------------------------

    @property
    def run(self) -> str:
        """The run's name in the folder."""
        return self._track.run.run

    @property
    def should_stop(self) -> bool:
        """Whether something that `stop_on` names has happened."""
        return self._should_stop

    @property
    def result(self) -> RunResult:
        """The outcome, its reason and all events, by what is known so far."""
        horizon = max(self._kept.horizon if self._kept else 1, self._step, 1)
        return label(
            self._track.history(), self._news.thresholds, horizon=horizon, stopped=self._track.stopped
        )

    @property
    def records(self) -> tuple[Record, ...]:
        """The records so far."""
        return tuple(self._track.records)

    @property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """What was measured at the visits so far."""
        return tuple(self._track.evaluations)

    # --- parts --------------------------------------------------------------------------------------------

    def _check(self, told: Mapping[str, Any]) -> None:
        """Note the first loss that is not finite, without waiting for a device."""
        values = [told[name] for name in LOSSES]
        device = next((value.device for value in values if isinstance(value, Tensor)), self._bad.device)
        losses = [
            torch.zeros((), device=device)
            if value is None
            else torch.as_tensor(value, device=device).detach().mean()
            for value in values
        ]
        self._bad = note_bad(self._bad.to(device), torch.stack([loss.float() for loss in losses]), self._step)

    def _note_divergence(self) -> None:
        found = first_bad_tensor(self._bad[:, None], LOSSES, 0)
        self._track.divergence = None if found is None else Divergence(*found)

    def _record(self, told: Mapping[str, Any]) -> None:
        if isinstance(told["real_logits"], Tensor) and told["real_logits"].dim():
            self._batch = max(1, len(told["real_logits"]))
        record = self._taps.record(self.run, self._step, told)
        self._track.records.append(record)
        for fields, why in MISSING.items():
            if missing := [name for name in fields if getattr(record, name) is None]:
                self._telling.warn(f"no {', no '.join(missing)}: {why}")
        self._note_divergence()
        if self._track.divergence is not None:
            self._tell()

    def _visit(self) -> None:
        attempt = self._telling.attempt
        attempt("look for what is not finite", self._note_divergence)
        if self._visitor is not None:
            attempt("visit", partial(self._measure, self._visitor))
        attempt("tell events", self._tell)

    def _measure(self, visitor: Visitor) -> None:
        seen = visitor.visit(self.run, self._step, self._batch)
        self._track.evaluations.append(seen.evaluation)
        if seen.pictures is not None:
            self._track.pictures.append(seen.pictures)
            self._track.picture_steps.append(self._step)
        if seen.unjudged:
            self._telling.warn(f"no separation at visits: {seen.unjudged}")

    def _tell(self) -> None:
        """Tell what is new, and find out whether that is a reason to stop."""
        history, say = self._track.history(), self._telling
        for item in self._news.of(history):
            (say.alarm if item.alarm else say.note)(item.words)
            if item.alarm:
                self.alarms.append(item.what)
            if self._on_event is not None and not item.over:
                say.attempt("call on_event", partial(self._on_event, item.what))
        self._should_stop |= stop_reason(history, self._news.thresholds, self._stop_on) is not None

    def _tell_outcome(self) -> None:
        found = self.result
        self._telling.note(f"{found.outcome} ({found.reason}); next: stability report {self._folder}")

    def _write_if_cheap(self) -> None:
        start = time.perf_counter()
        if self._writing <= SHARE * (start - self._begun):
            self._telling.attempt("write the results", partial(self._write, "training", patience=1.0))
            self._writing += time.perf_counter() - start

    def _write(self, state: str, *, patience: float) -> None:
        if self._kept is None or not self._step:
            return
        track = self._track
        track.seconds = time.perf_counter() - self._begun
        about = {
            "state": state,
            "step": self._step,
            "monitor_seconds": round(self._own, 3),
            "missing": list(self._telling.warned),
        }
        data = CohortData(
            results=(self.result,),
            histories=(track.history(),),
            seconds={self.run: track.seconds},
            filmstrips={self.run: track.film()} if track.pictures else {},
            machine=this_machine(self._device),
        )
        self._kept.keep(data, about, last_step=self._step, patience=patience)

    def _visitor_of(self, data: RealData, sample: Sample) -> Visitor:
        note = self._telling.note
        dataset, describer = data.dataset(self._customs.dataset, self._features, note)
        n = min(self._customs.recording.samples, len(dataset.train))
        own = {name: self._left_out_if_it_fails(name, metric) for name, metric in self._metrics.items()}
        evaluator = Evaluator(dataset, describer, samples=n, final_samples=n, own=own, note=note)
        return Visitor(sample, self._generator, self._discriminator, data, evaluator)

    def _left_out_if_it_fails(self, name: str, metric: OwnMetric) -> OwnMetric:
        def value(images: Tensor, real: Tensor) -> Tensor | float:
            try:
                return float(metric(images, real))
            except Exception as error:
                self._telling.warn(f"no {name}: {one_line(error)}")
                return math.nan

        return value


def _rank() -> int:
    distributed = torch.distributed
    return distributed.get_rank() if distributed.is_available() and distributed.is_initialized() else 0


def _device_of(*modules: nn.Module | None) -> torch.device:
    weights = (weight for module in modules if module is not None for weight in module.parameters())
    weight = next(weights, None)
    return torch.device("cpu") if weight is None else weight.device


def _checked_metrics(metrics: Mapping[str, OwnMetric]) -> Mapping[str, OwnMetric]:
    for name, metric in metrics.items():
        if not (name.isidentifier() and callable(metric)):
            needed = "a name and a function of (images, real) are needed"
            raise StabilityError(f"Monitor: metrics: {name!r}: {needed}")
    return metrics


def _checked(every: int, evaluate_every: int, samples: int) -> Recording:
    with _told():
        return Recording(every=every, evaluate_every=evaluate_every, samples=samples, final_samples=samples)


def _thresholds(given: Thresholds | Mapping[str, Any] | None) -> Thresholds:
    with _told("outcomes."):
        return given if isinstance(given, Thresholds) else Thresholds(**(given or {}))


@contextmanager
def _told(section: str = "") -> Iterator[None]:
    """What a model refuses, in one line."""
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        raise StabilityError(f"Monitor: {section}{first['loc'][0]}: {first['msg']}") from None


def _check_choices(drawn: Drawn | None, stop_on: Collection[str], steps: int | None) -> None:
    if drawn is not None and drawn not in get_args(Drawn):
        raise StabilityError(f"Monitor: drawn: {drawn!r}; allowed: {', '.join(get_args(Drawn))}")
    if unknown := sorted(set(stop_on) - set(get_args(StopOutcome))):
        raise StabilityError(f"Monitor: stop_on: {unknown[0]!r}; allowed: {', '.join(get_args(StopOutcome))}")
    if steps is not None and not 1 <= steps <= 10_000_000:
        raise StabilityError(f"Monitor: steps: {steps}; allowed: 1 to 10,000,000")

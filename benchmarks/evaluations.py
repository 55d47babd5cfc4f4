"""What a visit costs beside the training between two of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.cases import RECORD_EVERY, make_cohort, table_size
from benchmarks.crews import Job, Work, crew, in_turn, long_enough, synchronised
from benchmarks.fidelity import NaiveMetrics
from benchmarks.naive import NaiveGan, batches
from benchmarks.settings import Settings
from benchmarks.table import Sample, Section, Target
from stability.gan.data.datasets import load_dataset
from stability.gan.metrics.describers import load_describer
from stability.gan.metrics.evaluation import Evaluator
from stability.runner.visit import visit
from stability.spec.config import Config
from stability.spec.study import Recording

ARCHITECTURES = ("mlp", "dcgan")
COST = Target(20, "most")
"""Per cent of the training between two visits."""


@dataclass(frozen=True, slots=True)
class VisitTask:
    """A cohort that `train`s, and whose runs a `visit` evaluates by every metric."""

    configs: tuple[Config, ...]
    device: str
    samples: int

    def begin(self) -> Work:
        """Build cohort and evaluator."""
        device = torch.device(self.device)
        cohort = make_cohort(self.configs, device)
        dataset = load_dataset("mnist", device=device)
        describer = load_describer(dataset, device=device)
        evaluator = Evaluator(dataset, describer, samples=self.samples, final_samples=self.samples)

        def work(action: str, count: int) -> None:
            if action == "train":
                for _ in cohort.train(cohort.step + count, RECORD_EVERY):
                    pass
                synchronised(device)
                return
            for _ in range(count):
                seen = visit(cohort, evaluator, self.samples)
                for k in range(len(cohort.runs)):
                    seen.evaluate(k)

        return work


@dataclass(frozen=True, slots=True)
class NaiveVisitTask:
    """A naive model's images, measured by torch-fidelity."""

    config: Config
    root: Path
    cache: Path
    device: str
    samples: int

    def begin(self) -> Work:
        """Train a little, and fill the cache of real features."""
        device = torch.device(self.device)
        metrics = NaiveMetrics(self.cache, device)
        with open(os.devnull, "w", encoding="utf-8") as log:
            gan = NaiveGan(self.config, batches(self.root, self.config.batch_size), log, device)
            gan.train(RECORD_EVERY)

        def work(action: str, count: int) -> None:
            for _ in range(count):
                with torch.no_grad():
                    metrics(gan.generator(gan.noise(self.samples)))

        return work


@dataclass(frozen=True, slots=True)
class VisitTimes:
    """Seconds per run and visit, and per step of a run, of the whole machine."""

    step: Sample
    ours: Sample
    naive: Sample


def measure_visits(config: Config, settings: Settings, root: Path, cache: Path) -> VisitTimes:
    """Training, our visits and naive's, in turn."""
    members, samples = table_size(config, settings.device), settings.sized(Recording().samples, 64)
    with crew(settings.workers, settings.worker_threads) as ours, crew(1, settings.all_threads) as naive:
        ours.take(VisitTask((config,) * members, settings.device, samples))
        naive.take(NaiveVisitTask(config, root, cache, settings.device, samples))
        units = members * ours.size
        steps = long_enough(ours, "train", settings.round_seconds, RECORD_EVERY)
        ours.do("visit")
        naive.do("visit")
        jobs = [Job(ours, "train", steps, units), Job(ours, "visit", 1, units), Job(naive, "visit", 1)]
        return VisitTimes(*in_turn(jobs, settings.rounds))


def evaluation_section(settings: Settings, root: Path, scratch: Path) -> Section:
    """A row an architecture."""
    recording = Recording()
    section = Section("Evaluation")
    section.say(
        f"A visit draws {recording.samples:,} images of every run and computes all metrics. Milliseconds "
        "are per run, as the whole machine evaluates and trains; the share is of the training between two "
        f"visits, {recording.evaluate_every} steps by default, diagnostics included. Naive is "
        "torch-fidelity's FID, precision and recall of as many images, and digits counted."
    )
    rows = []
    for architecture in ARCHITECTURES:
        config = Config(architecture=architecture, width=settings.sized(64, 8))
        times = measure_visits(config, settings, root, scratch / "fidelity")
        between = times.step.each(lambda seconds: seconds * recording.evaluate_every)
        percent = times.ours.over(between).each(lambda share: 100 * share)
        name = f"{architecture}, width {config.width}"
        why = f"{1000 * times.ours.median:.0f} ms per run and visit"
        cells = [times.ours, between, times.naive]
        shown = [cell.milliseconds(1) for cell in cells]
        cost = section.judged(percent, COST, f"{name}: evaluation, % of training", why=why)
        rows.append([name, shown[0], shown[1], cost, shown[2], times.naive.over(times.ours).text()])
    header = ["Case", "Visit, ms per run", "Training between visits, ms per run", "Share, %"]
    section.tabulate([*header, "Naive's visit, ms", "Ratio"], rows)
    return section

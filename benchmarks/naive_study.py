"""The same study as a script: Optuna around the naive loop, torch-fidelity at every visit.

`python -m benchmarks.naive_study STUDY MNIST_ROOT CACHE DEVICE [OVERRIDE...]`; prints as JSON what took how
long.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import optuna
import torch

from benchmarks.fidelity import NaiveMetrics
from benchmarks.naive import NaiveGan, batches
from stability.design import draw_points, plan_runs
from stability.spec import Run, StudySpec, parse_study


class NaiveStudy:
    """One trial a configuration, one after the other."""

    def __init__(self, spec: StudySpec, root: Path, cache: Path, device: torch.device) -> None:
        self.spec, self.root, self.device = spec, root, device
        self.runs: Sequence[Run] = plan_runs(spec, draw_points(spec))
        self.metrics = NaiveMetrics(cache, device)
        self.training = self.evaluating = 0.0

    def optimise(self) -> optuna.Study:
        """Train every configuration."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study()
        for place in range(len(self.runs)):
            study.enqueue_trial({"configuration": place})
        study.optimize(self.objective, n_trials=len(self.runs))
        return study

    def objective(self, trial: optuna.Trial) -> float:
        """The last visit's FID."""
        config = self.runs[trial.suggest_int("configuration", 0, len(self.runs) - 1)].config
        fid = float("nan")
        with open(os.devnull, "w", encoding="utf-8") as log:
            gan = NaiveGan(config, batches(self.root, config.batch_size), log, self.device)
            every = self.spec.recording.evaluate_every
            for _ in range(self.spec.training.steps // every):
                start = time.perf_counter()
                gan.train(every)
                trained = time.perf_counter()
                fid = self._visit(trial, gan)
                self.training += trained - start
                self.evaluating += time.perf_counter() - trained
        return fid

    def _visit(self, trial: optuna.Trial, gan: NaiveGan) -> float:
        with torch.no_grad():
            found = self.metrics(gan.generator(gan.noise(self.spec.recording.samples)))
        trial.set_user_attr(f"step {len(gan.history)}", found)
        return float(found["frechet_inception_distance"])


def main(arguments: Sequence[str]) -> None:
    """Run the study."""
    study, root, cache, device, *overrides = arguments
    spec = parse_study(Path(study).read_text(encoding="utf-8"), overrides=overrides)
    naive = NaiveStudy(spec, Path(root), Path(cache), torch.device(device))
    finished = naive.optimise()
    spent = {"training": naive.training, "evaluating": naive.evaluating}
    print(json.dumps({"trials": len(finished.trials), **spent}))


if __name__ == "__main__":
    main(sys.argv[1:])

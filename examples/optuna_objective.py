"""An Optuna search over a loop's learning rate; every trial is a run of one observed study.

A trial whose run has collapsed or diverged is pruned and says so: that it ended for another reason than the
others is a user attribute, and its run is in the results folder like any other.
`python examples/optuna_objective.py`, then `stability report results/optuna`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import optuna
from own_loop import train

from stability.records import Outcome


def objective(trial: optuna.Trial, folder: Path, steps: int, evaluate_every: int) -> float:
    """The FID excess of the last visit, lower is better."""
    lr = trial.suggest_float("lr", 1e-4, 1e-2, log=True)
    monitor = train(folder, lr, steps, seed=trial.number, evaluate_every=evaluate_every, drawn="tpe")
    for evaluation in monitor.evaluations:
        trial.report(evaluation.fid_excess, evaluation.step)
    result = monitor.result
    trial.set_user_attr("outcome", str(result.outcome))
    trial.set_user_attr("events", [f"{event.kind} at {event.onset}" for event in result.events])
    if result.stopped or result.outcome is Outcome.DIVERGED:
        trial.set_user_attr("competing_end", result.reason)
        raise optuna.TrialPruned(result.reason)
    return monitor.evaluations[-1].fid_excess


def search(folder: Path, trials: int, steps: int, evaluate_every: int) -> optuna.Study:
    """Run the search in memory."""
    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=0))
    study.optimize(lambda trial: objective(trial, folder, steps, evaluate_every), n_trials=trials)
    return study


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("results/optuna"))
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--steps", type=int, default=2_000)
    asked = parser.parse_args()
    search(asked.folder, asked.trials, asked.steps, evaluate_every=250)


if __name__ == "__main__":
    main()

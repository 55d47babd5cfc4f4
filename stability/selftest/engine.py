"""The engine: a member of a cohort is the run alone, the same seeds give the same bits, every loss trains."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from stability.gan.data.datasets import load_dataset
from stability.gan.losses import LOSSES
from stability.gan.training.cohort import Cohort
from stability.gan.training.placement import Placement
from stability.selftest.bench import Bench, small_runs
from stability.selftest.check import Finding, Question
from stability.spec.config import ARCHITECTURE_NAMES

PLACES = {"maxout": "ring", "dirac": "dirac"}
"""The data sets of architectures that are made for points."""


def _train(cohort: Cohort, steps: int) -> dict[str, Tensor]:
    for _ in cohort.train(steps, record_every=steps):
        pass
    return cohort.state()


def member_alone(bench: Bench) -> Finding:
    """A member of a mixed cohort against the same run alone: equal bits on a CPU, close on a GPU."""
    runs, images, place = small_runs(), bench.few_images, Placement(bench.device)
    together = _train(Cohort(runs, images, place), 20)
    alone = _train(Cohort(runs[2:3], images, place), 20)
    names = [name for name in alone if name.startswith(("generator/", "discriminator/"))]
    worst = max(float((together[name][2] - alone[name][0]).abs().max()) for name in names)
    bound = 0.0 if bench.device.type == "cpu" else 1e-2
    return Finding(f"<= {bound:g}", f"{worst:g}", worst <= bound)


def same_twice(bench: Bench) -> Finding:
    """The same seeds twice give the same weights."""
    runs, images, place = small_runs(), bench.few_images, Placement(bench.device)
    first, second = (_train(Cohort(runs, images, place), 10) for _ in range(2))
    equal = all(torch.equal(first[name], second[name]) for name in first)
    return Finding("equal bits", "equal bits" if equal else "different", equal)


def losses_train(architecture: str, bench: Bench) -> Finding:
    """Every loss changes both networks of an architecture and stays finite."""
    data = load_dataset(PLACES.get(architecture, "mnist"), device=bench.device)
    bad = []
    for names in _cohorts():
        runs = small_runs(names, architecture=architecture)
        cohort = Cohort(runs, data.train[:256], Placement(bench.device), labels=data.train_labels[:256])
        before = cohort.state()
        after = _train(cohort, 2)
        bad += [
            run.config.loss
            for k, run in enumerate(cohort.runs)
            if cohort.divergences()[k] is not None or not all(_moved(before, after, k))
        ]
    return Finding("all", "not " + ", ".join(bad) if bad else "all", not bad)


def _cohorts() -> list[tuple[str, ...]]:
    """The losses in two groups that can each train in one cohort."""
    groups = [
        tuple(name for name, loss in LOSSES.items() if loss.paired is paired) for paired in (False, True)
    ]
    return [names for names in groups if names]


def _moved(before: dict[str, Tensor], after: dict[str, Tensor], k: int) -> list[bool]:
    """Whether any weight of member k has changed, in either network."""
    return [
        any(not torch.equal(before[name][k], after[name][k]) for name in before if name.startswith(network))
        for network in ("generator/", "discriminator/")
    ]


QUESTIONS = (
    Question("a cohort's member = the run alone, 20 steps", member_alone),
    Question("the same cohort twice", same_twice),
    *(Question(f"every loss trains: {name}", partial(losses_train, name)) for name in ARCHITECTURE_NAMES),
)

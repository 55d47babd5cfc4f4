"""How the work of a study is shared out: on which devices, in how many processes, with how many threads each.

A CPU does most with one thread per process and as many processes as cores, so a study of many cohorts is laid
out so; a small one trains here, with every thread. The number of threads is kept with the plan, since records
depend on it; the number of processes is not, and may be another one whenever the study goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from stability.design.plan import make_plan, with_next_round
from stability.errors import StabilityError
from stability.runner.devices import available_devices, choose_device
from stability.runner.engines.options import Options
from stability.runner.materials import Resources
from stability.spec import StudySpec
from stability.store import Plan

CORES = torch.get_num_threads()
"""What torch found when it started, or was told by OMP_NUM_THREADS."""
WORTH_WORKERS = 4_000
"""Steps of runs, all taken together, from which it pays to start processes: it takes seconds."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Devices of one kind, processes and threads of each process."""

    devices: tuple[torch.device, ...]
    workers: int
    threads: int

    def bounded(self, cohorts: int) -> Layout:
        """No more processes than there is work for."""
        return replace(self, workers=max(1, min(self.workers, cohorts)))

    @property
    def here(self) -> torch.device:
        """Where this process computes: jobs of a cluster may have what it has not."""
        first = self.devices[0]
        return first if first.type in available_devices() else torch.device("cpu")

    def device(self, worker: int) -> torch.device:
        """The device of the worker with this number, counted from 0."""
        return self.devices[worker % len(self.devices)]


def choose_devices(names: str) -> tuple[torch.device, ...]:
    """The devices that `--device` names, parted by commas.

    Raises StabilityError for one that this machine does not have, or for devices of several kinds.
    """
    devices = tuple(choose_device(name.strip()) for name in names.split(","))
    kinds = sorted({device.type for device in devices})
    if len(kinds) > 1:
        raise StabilityError(f"--device {names}: devices of one kind, please, not {' and '.join(kinds)}")
    return devices


def new_layout(spec: StudySpec, resources: Resources, cluster: Options | None = None) -> Layout:
    """How a study that begins is laid out: of a search by its first round, on a cluster by its options."""
    if cluster is not None:
        return cluster_layout(resources, cluster.cpus)
    devices = choose_devices(resources.device)
    plan = make_plan(spec, device=str(devices[0]), threads=1)
    if not plan.runs:
        plan = with_next_round(plan, spec, ())
    if resources.threads is not None or resources.workers is not None:
        return _as_asked(devices, resources, resources.threads).bounded(len(plan.cohorts))
    if devices[0].type != "cpu":
        return Layout(devices, len(devices), max(1, CORES // len(devices))).bounded(len(plan.cohorts))
    workers = min(CORES, len(plan.cohorts)) if len(plan.runs) * plan.horizon >= WORTH_WORKERS else 1
    return Layout(devices, workers, CORES // workers)


def old_layout(plan: Plan, resources: Resources, *, member_steps: int) -> Layout:
    """How a study that was planned so goes on, with so many steps of runs, all taken together, to come."""
    devices = choose_devices(plan.device if resources.device == "auto" else resources.device)
    if member_steps < WORTH_WORKERS and resources.workers is None and len(devices) == 1:
        return Layout(devices, 1, plan.threads)
    return _as_asked(devices, resources, plan.threads)


def on_cluster(resources: Resources, options: Options) -> Resources:
    """What is asked for, with the device that follows where none is named."""
    named = {"auto": "cuda" if options.gpus else "cpu"}.get(resources.device, resources.device)
    return replace(resources, device=named)


def cluster_layout(resources: Resources, cpus: int) -> Layout:
    """How a study is laid out on machines that nobody sees from here."""
    return Layout((torch.device(resources.device),), 1, resources.threads or cpus)


def _as_asked(devices: tuple[torch.device, ...], resources: Resources, threads: int | None) -> Layout:
    processes = max(1, CORES // (threads or CORES)) if devices[0].type == "cpu" else len(devices)
    workers = resources.workers or processes
    return Layout(devices, workers, threads or max(1, CORES // workers))

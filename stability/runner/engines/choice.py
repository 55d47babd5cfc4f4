"""The engine that carries a study. What an engine takes besides is imported only for it."""

from __future__ import annotations

from contextlib import AbstractContextManager

from stability.runner.crew import Engine
from stability.runner.engines.options import Cluster, RayOptions
from stability.runner.engines.processes import Processes
from stability.runner.job import Setup
from stability.store import Store


def engine_of(setup: Setup, store: Store, cluster: Cluster | None) -> AbstractContextManager[Engine]:
    """Processes of this machine, unless a cluster is asked for."""
    if cluster is None:
        return Processes(setup, store)
    if isinstance(cluster.options, RayOptions):
        from stability.runner.engines.ray import RayEngine

        return RayEngine(setup, store, cluster.options, cluster.address)
    from stability.runner.engines.slurm import SlurmEngine

    return SlurmEngine(setup, store, cluster.options, detach=cluster.detach)

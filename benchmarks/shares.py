"""Where a step's time goes: torch's profiler over a few steps, its operations sorted into kinds."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.cases import RECORD_EVERY, Case, make_cohort, table_size
from benchmarks.crews import Work, crew, synchronised
from benchmarks.settings import Settings
from benchmarks.table import Section
from stability.spec.config import Config

Shares: TypeAlias = dict[str, float]
"""By kind, the part of the step's time; together 1."""

KINDS = {
    "optimiser": ("adam", "optimizer.step"),
    "convolutions": ("conv", "cudnn", "fprop", "dgrad", "wgrad"),
    "products": (
        "linear_pointwise",
        "mm",
        "matmul",
        "gemm",
        "cutlass",
        "aten::linear",
        "aten::dot",
        "aten::mv",
    ),
    "batchnorm of maps": ("batch_norm",),
    "random numbers and batches": (
        "aten::normal_",
        "aten::randn",
        "aten::rand",
        "aten::uniform_",
        "aten::index",
        "aten::random_",
        "distribution_",
    ),
    "copies and layout": (
        "aten::cat",
        "aten::stack",
        "copy",
        "aten::clone",
        "aten::contiguous",
        "aten::_to_copy",
        "aten::empty",
        "aten::new_",
        "aten::view",
        "aten::reshape",
        "aten::select",
        "aten::transpose",
        "aten::t",
        "aten::as_strided",
        "aten::unbind",
        "aten::permute",
        "aten::expand",
        "aten::slice",
        "aten::unsqueeze",
        "memset",
    ),
}
"""Parts of operations' names by kind, the first that fits; names that fit none are elementwise."""
ELEMENTWISE, DISPATCH = "elementwise and sums", "Python and dispatch"
ALL_KINDS = (*KINDS, ELEMENTWISE, DISPATCH)
WHOLE_NAMES = {"aten::t", "aten::index", "aten::rand"}
"""Looked for as whole names, since others begin with them."""


@dataclass(frozen=True, slots=True)
class ProfileTask:
    """A cohort whose steps are profiled: the action answers with the shares of so many."""

    configs: tuple[Config, ...]
    device: str

    def begin(self) -> Work:
        """Build the cohort and warm it up."""
        device = torch.device(self.device)
        cohort = make_cohort(self.configs, device)
        for _ in cohort.train(2, 1):
            pass

        def work(action: str, count: int) -> Shares:
            activities = [ProfilerActivity.CPU]
            if device.type == "cuda":
                activities.append(ProfilerActivity.CUDA)
            with profile(activities=activities, acc_events=True) as profiler:
                start = time.perf_counter()
                for _ in cohort.train(cohort.step + count, RECORD_EVERY):
                    pass
                synchronised(device)
                seconds = time.perf_counter() - start
            spent = [(event.key, own_seconds(event, device)) for event in profiler.key_averages()]
            return shares_of(spent, seconds)

        return work


def own_seconds(event: Any, device: torch.device) -> float:
    """What an operation took without those that it called; on a GPU only the GPU's own kernels count."""
    if device.type == "cpu":
        return float(event.self_cpu_time_total) / 1e6
    return float(event.self_device_time_total) / 1e6 if event.device_type.name == "CUDA" else 0.0


def kind_of(name: str) -> str:
    """The kind of an operation."""
    low = name.lower()
    if _is_dispatch(low):
        return DISPATCH
    for kind, parts in KINDS.items():
        if any(low == part if part in WHOLE_NAMES else part in low for part in parts):
            return kind
    return ELEMENTWISE


def shares_of(spent: Iterable[tuple[str, float]], seconds: float) -> Shares:
    """Of (operation, seconds of its own) and the time of all: what no operation accounts for is dispatch."""
    sums = dict.fromkeys(ALL_KINDS, 0.0)
    for name, own in spent:
        sums[kind_of(name)] += own
    sums[DISPATCH] += max(0.0, seconds - sum(sums.values()))
    total = sum(sums.values())
    return {kind: own / total for kind, own in sums.items()}


def measure_shares(case: Case, settings: Settings) -> Shares:
    """Profile one cohort in one process, with one thread as `stability run` trains it."""
    members = table_size(case.config, settings.device)
    with crew(1, settings.worker_threads) as workers:
        workers.take(ProfileTask((case.config,) * members, settings.device))
        shares: Shares = workers.do("profile", RECORD_EVERY)[0]
    return shares


def shares_section(by_case: dict[str, Shares]) -> Section:
    """A column a case."""
    section = Section("Profile")
    section.say(
        f"Shares of {RECORD_EVERY} steps, one of which records all diagnostics, of one cohort in one "
        "process with one thread, in per cent. Batchnorm of features is written in elementary operations "
        "and counts there; Python and dispatch are what no operation accounts for, the profiler's own "
        "cost included."
    )
    rows = [[kind, *(f"{100 * shares[kind]:.1f}" for shares in by_case.values())] for kind in ALL_KINDS]
    section.tabulate(["Kind", *by_case], rows)
    return section


def largest(shares: Shares, n: int = 3) -> str:
    """The n largest kinds, as in `products 44%, ...`."""
    ordered = sorted(shares.items(), key=lambda item: -item[1])[:n]
    return ", ".join(f"{kind} {100 * share:.0f}%" for kind, share in ordered)


def _is_dispatch(low: str) -> bool:
    """Nodes of the backward pass and functions in Python: their own time is around operations."""
    if low.startswith("aten::"):
        return False
    return low.startswith(("autograd::", "torch::", "_")) or low.endswith(("backward", "backward0"))

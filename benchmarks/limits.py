"""What the machine can do: matrix products and memory traffic, by all cores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.crews import Crew, Job, Work, crew, in_turn, long_enough, synchronised
from benchmarks.operations import ADAM_NUMBERS, BYTES
from benchmarks.settings import Settings
from benchmarks.table import Sample, Section
from stability.gan.arithmetic.products import product

SHAPES = (
    (512, 512, 512),
    (1024, 1024, 1024),
    (2048, 2048, 2048),
    (64, 512, 784),
    (128, 784, 512),
    (784, 128, 512),
)
QUICK_SHAPES = ((64, 64, 64), (8, 64, 98))
MULTIPLY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "torch.matmul": torch.matmul,
    "products.product": product,
}
LARGE, QUICK_LARGE = 2**24, 2**14
"""Numbers in the tensors whose traffic is measured: far more than caches hold."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate of the whole machine, and how it was reached."""

    what: str
    detail: str
    processes: int
    per_second: Sample


@dataclass(frozen=True, slots=True)
class Limits:
    """All that was measured; the best of it bounds every step."""

    products: tuple[Rate, ...]
    """Floating point operations per second ..."""
    traffic: tuple[Rate, ...]
    """... and bytes per second."""

    @property
    def flops_per_second(self) -> float:
        """The best rate of products."""
        return max(rate.per_second.median for rate in self.products)

    @property
    def bytes_per_second(self) -> float:
        """The best rate of traffic."""
        return max(rate.per_second.median for rate in self.traffic)


@dataclass(frozen=True, slots=True)
class LimitTask:
    """Products by `name m k n`, and `copy` and `adam` of a large tensor."""

    device: str
    large: int

    def begin(self) -> Work:
        """Make the operands when they are first asked for."""
        device = torch.device(self.device)
        made: dict[str, Callable[[], object]] = {}

        def work(action: str, count: int) -> None:
            if action not in made:
                made.clear()
                made[action] = _operation(action, device, self.large)
            for _ in range(count):
                made[action]()
            synchronised(device)

        return work


def measure_limits(settings: Settings) -> Limits:
    """Measure them by one process with all threads and, on a processor, by one process a core."""
    sizes = [(1, settings.all_threads)]
    if settings.workers > 1:
        sizes.append((settings.workers, settings.worker_threads))
    large = settings.sized(LARGE, QUICK_LARGE)
    products: list[Rate] = []
    traffic: list[Rate] = []
    for size, threads in sizes:
        with crew(size, threads) as workers:
            workers.take(LimitTask(settings.device, large))
            for name in MULTIPLY:
                shapes = settings.sized(SHAPES, QUICK_SHAPES)
                products += [_product_rate(workers, settings, name, shape) for shape in shapes]
            for action, moved in (("copy", 2), ("adam", ADAM_NUMBERS)):
                rate = _rate(workers, settings, action, moved * BYTES * large)
                traffic.append(Rate(action, f"{large:,} numbers", size, rate))
    return Limits(tuple(products), tuple(traffic))


def limits_section(limits: Limits, settings: Settings) -> Section:
    """The best of every kind."""
    section = Section("Limits")
    section.say(
        "Of the whole machine: by one process with all threads, and by one process with one thread on every "
        "core at once. The floors below are of the best product and the best traffic."
    )
    rows = []
    for processes in sorted({rate.processes for rate in limits.products}):
        for name in MULTIPLY:
            own = [rate for rate in limits.products if (rate.what, rate.processes) == (name, processes)]
            best = max(own, key=lambda rate: rate.per_second.median)
            giga = best.per_second.each(lambda value: value / 1e9).text(0)
            rows.append(
                [f"{name}, best of {len(own)} shapes: {best.detail}", str(processes), f"{giga} GFLOP/s"]
            )
    for rate in limits.traffic:
        giga = rate.per_second.each(lambda value: value / 1e9).text(1)
        what = {"copy": "copy", "adam": "fused Adam"}[rate.what]
        rows.append([f"{what} of {rate.detail}", str(rate.processes), f"{giga} GB/s"])
    section.tabulate(["What", "Processes", f"Rate, median of {settings.rounds} rounds"], rows)
    return section


def _product_rate(workers: Crew, settings: Settings, name: str, shape: tuple[int, int, int]) -> Rate:
    m, k, n = shape
    rate = _rate(workers, settings, f"{name} {m} {k} {n}", 2 * m * k * n)
    return Rate(name, f"[{m}, {k}] x [{k}, {n}]", workers.size, rate)


def _rate(workers: Crew, settings: Settings, action: str, amount: float) -> Sample:
    """So much per call and worker: how much per second, by all of them."""
    count = long_enough(workers, action, settings.sized(0.2, 0.001))
    [seconds] = in_turn([Job(workers, action, count, workers.size)], settings.rounds)
    return seconds.each(lambda one: amount / one)


def _operation(action: str, device: torch.device, large: int) -> Callable[[], object]:
    name, *shape = action.split()
    if name == "copy":
        source = torch.ones(large, device=device)
        target = torch.empty_like(source)
        return lambda: target.copy_(source)
    if name == "adam":
        weights = torch.ones(large, device=device, requires_grad=True)
        weights.grad = torch.ones_like(weights)
        return torch.optim.Adam([weights], lr=1e-6, fused=True).step
    m, k, n = map(int, shape)
    a, b = torch.randn(m, k, device=device), torch.randn(k, n, device=device)
    multiply = MULTIPLY[name]
    return lambda: multiply(a, b)

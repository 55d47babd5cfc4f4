"""Both libraries for products at the shapes of a study, with all that the processor can and with less."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from benchmarks.crews import Crew, Job, Work, crew, in_turn, long_enough, variables_set
from benchmarks.settings import Settings
from benchmarks.table import Sample, Section
from stability.gan.arithmetic.processor import processor_vendor
from stability.gan.arithmetic.products import chosen_library, product_by_onednn

SHAPES = (
    (32, 784, 128),
    (64, 784, 512),
    (64, 512, 256),
    (64, 256, 128),
    (64, 512, 784),
    (784, 64, 512),
    (512, 64, 256),
    (64, 1024, 512),
)
"""m, k, n of an MLP's products, forwards and backwards, at the widths and batches of the shipped studies."""
QUICK_SHAPES = ((8, 64, 98),)
STACK = 4
"""Matrices in one call, as in a cohort."""
AS_IT_IS: dict[str, str] = {}
LESSER = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}
"""Variables under which an x86 processor computes as one without AVX-512 does."""
MULTIPLY: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "torch.matmul": torch.matmul,
    "oneDNN": product_by_onednn,
}


@dataclass(frozen=True, slots=True)
class ProductTask:
    """Products by `name m k n`; `capability` says what torch finds that the processor can."""

    def begin(self) -> Work:
        """Make the operands when they are first asked for."""
        made: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

        def work(action: str, count: int) -> str:
            if action == "capability":
                return str(torch.backends.cpu.get_cpu_capability())
            name, *shape = action.split()
            m, k, n = map(int, shape)
            if action not in made:
                made[action] = torch.randn(STACK, m, k), torch.randn(STACK, k, n)
            with torch.no_grad():
                for _ in range(count):
                    MULTIPLY[name](*made[action])
            return ""

        return work


def products_section(settings: Settings) -> Section:
    """A table for each of the two, one thread."""
    section = Section("Products by shape")
    section.say(
        f"Stacks of {STACK} products [m, k] x [k, n] of float32 by one thread, GFLOP/s; the two libraries in "
        "turn. Which of them a study takes is fixed by the processor's vendor and capability "
        "(`stability/gan/arithmetic/products.py`), never by a clock."
    )
    if not settings.is_cpu:
        section.say("Not measured: only a processor has the choice.")
        return section
    seen: set[str] = set()
    for variables in (AS_IT_IS, LESSER):
        with variables_set(variables), crew(1, 1) as workers:
            workers.take(ProductTask())
            capability = workers.do("capability")[0]
            if capability in seen:
                continue
            seen.add(capability)
            _tabulate(section, workers, capability, settings)
    return section


def _tabulate(section: Section, workers: Crew, capability: str, settings: Settings) -> None:
    vendor = processor_vendor() or "unknown vendor"
    chosen = {"matmul": "torch.matmul", "onednn": "oneDNN"}[chosen_library(vendor, capability)]
    section.say(f"{vendor}, {capability}, where {chosen} is taken:")
    rows = []
    for m, k, n in settings.sized(SHAPES, QUICK_SHAPES):
        seconds = _seconds(workers, settings, f"{m} {k} {n}")
        rates = [_gigaflops(one, 2 * STACK * m * k * n) for one in seconds.values()]
        quotient = seconds["torch.matmul"].over(seconds["oneDNN"])
        rows.append([f"[{m}, {k}] x [{k}, {n}]", *rates, quotient.text()])
    section.tabulate(["Shape", *MULTIPLY, "oneDNN / torch.matmul"], rows)


def _gigaflops(seconds: Sample, operations: int) -> str:
    return seconds.each(lambda one: 1e-9 * operations / one).text(0)


def _seconds(workers: Crew, settings: Settings, shape: str) -> dict[str, Sample]:
    """Of one call, by library."""
    jobs = []
    for name in MULTIPLY:
        action = f"{name} {shape}"
        jobs.append(Job(workers, action, long_enough(workers, action, settings.sized(0.2, 0.001))))
    return dict(zip(MULTIPLY, in_turn(jobs, settings.rounds), strict=True))

"""How much arithmetic and memory traffic one step cannot do without: the floor of its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from benchmarks.cases import NEVER, make_cohort
from stability.gan.training.cohort import Cohort
from stability.spec.config import Config

MEMBERS = 2
ADAM_NUMBERS = 7
"""Read: weight, gradient and both moments; written: weight and both moments."""
BYTES = 4


@dataclass(frozen=True, slots=True)
class Operations:
    """Of one step of one model."""

    flops: float
    """Of its matrix products and convolutions; a multiplication and an addition are two."""
    adam_bytes: float
    """What its optimisers read and write."""

    def floor_seconds(self, flops_per_second: float, bytes_per_second: float) -> float:
        """The least time of a step at these rates, one after the other."""
        return self.flops / flops_per_second + self.adam_bytes / bytes_per_second


class FlopCount(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts by torch's own formulas, without the hooks on modules that its `FlopCounterMode` needs."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do what is asked, and count it if it is a product or a convolution."""
        out = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.flops += formula(*args, **(kwargs or {}), out_val=out)
        return out


def operations(config: Config) -> Operations:
    """Count a step of a cohort in double precision: its products are torch's own, which are counted."""
    cohort = make_cohort([config] * MEMBERS, torch.device("cpu"), torch.float64)
    with FlopCount() as counter:
        for _ in cohort.train(1, NEVER):
            pass
    return Operations(counter.flops / MEMBERS, BYTES * ADAM_NUMBERS * _updated(cohort))


def _updated(cohort: Cohort) -> int:
    """Weights that one step updates, as often as it does."""
    config = cohort.config
    return config.n_dis * cohort.discriminator.size + config.n_gen * cohort.generator.size

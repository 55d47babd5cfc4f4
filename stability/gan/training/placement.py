"""Where and in which precision a cohort trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stability.gan.networks import find_pair
from stability.gan.training.compiled import check_compiler
from stability.spec.config import Config
from stability.spec.study import Compile, Training


def pinned(drawn: Tensor, device: torch.device) -> Tensor:
    """The same, from where a GPU can copy it without waiting."""
    return drawn.pin_memory() if device.type == "cuda" else drawn


def sent(drawn: Tensor, device: torch.device) -> Tensor:
    """The same on the device, which goes on meanwhile."""
    return pinned(drawn, device).to(device, non_blocking=True)


@dataclass(frozen=True, slots=True)
class Placement:
    """A device and a floating-point type, and whether networks are compiled."""

    device: torch.device
    dtype: torch.dtype = torch.float32
    compile: Compile = "none"

    @staticmethod
    def of(training: Training, device: torch.device) -> Placement:
        """What a study asks for. Raises StabilityError where it asks for a compiler that does not work."""
        check_compiler(training.compile, device)
        return Placement(device, compile=training.compile)

    def fused(self, config: Config) -> bool:
        """Whether members run together: convolutions gain nothing from it on a CPU."""
        pair = find_pair(config.architecture)
        return not pair.switches and (self.device.type != "cpu" or not pair.convolutional)

    def compiles(self, config: Config) -> Compile:
        """How discriminators are compiled: not under a penalty, since torch takes no second gradient."""
        return self.compile if config.penalty == "none" else "none"

    def numbers(self, values: Sequence[float]) -> Tensor:
        """Numbers on the device, without waiting for it."""
        return sent(torch.tensor(values, dtype=self.dtype), self.device)

    def begin_step(self) -> None:
        """Tell CUDA graphs that what they returned in the last step may be overwritten."""
        if self.compile == "cuda-graphs":
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]

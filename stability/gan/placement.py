"""Where and in which precision a cohort trains."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from stability.gan.networks import find_pair
from stability.spec.config import Config


@dataclass(frozen=True, slots=True)
class Placement:
    """A device and a floating-point type."""

    device: torch.device
    dtype: torch.dtype = torch.float32

    def fused(self, config: Config) -> bool:
        """Whether members run together: convolutions gain nothing from it on a CPU."""
        pair = find_pair(config.architecture)
        return not pair.switches and (self.device.type != "cpu" or not pair.convolutional)

"""One visit to a run of somebody else's loop: samples drawn, judged by its discriminator, and measured.

The run goes on as if nothing had been: random states, buffers and modes are put back.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stability.errors import StabilityError
from stability.gan.data.points import draw_points, picture_extent
from stability.gan.metrics.evaluation import HELD_OUT, Evaluator
from stability.gan.metrics.features import as_bytes, thumbnails
from stability.monitor.real import RealData, as_images
from stability.monitor.taps import evenly, unwrapped
from stability.records import Evaluation

SEED = 20_140_610
"""Of the random numbers that `sample` finds: the same at each visit, so that films show the same latents."""
CHUNK = 64
"""Samples that are asked for at once."""
PICTURES, SIDE = 16, 64
"""Pictures kept of a visit, and how long their longer side is at most."""

Sample = Callable[[int], Tensor]


UNKNOWN = torch.full((1,), torch.nan)
"""Logits where nobody judged."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a visit found."""

    evaluation: Evaluation
    pictures: NDArray[np.uint8] | None
    """`[n, h, w, c]`; None where samples cannot be pictured."""
    unjudged: str
    """Why the discriminator judged nothing; empty where it did, or where there is none."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """What a visit looks at."""

    sample: Sample
    generator: nn.Module | None
    discriminator: nn.Module | None
    real: RealData
    evaluator: Evaluator

    def visit(self, run: str, step: int, batch: int) -> Seen:
        """Measure the run as it is; `batch` is how many examples the discriminator is used to.

        Raises `StabilityError`: samples are of another shape than real examples. Whatever `sample` raises.
        """
        unjudged, logits = "", (UNKNOWN, UNKNOWN)
        with left_alone(self.generator, self.discriminator):
            samples = self._draw()
            if self.discriminator is not None:
                try:
                    logits = self._judge(self.discriminator, samples, batch)
                except Exception as error:  # of one that takes more than an image, for example
                    unjudged = f"the discriminator cannot be asked ({type(error).__name__}: {error})"
            unit = self.real.scale.unit(samples)
            found = self.evaluator.evaluate(
                unit, run=run, step=step, real_logits=logits[0], fake_logits=logits[1]
            )
        return Seen(found, self._pictures(unit), unjudged)

    def _draw(self) -> Tensor:
        parts: list[Tensor] = []
        wanted = self.evaluator.samples
        while (missing := wanted - sum(map(len, parts))) > 0:
            part = as_images(torch.as_tensor(self.sample(min(CHUNK, missing))))
            if part.shape[1:] != self.real.train.shape[1:]:
                words = f"{tuple(part.shape[1:])}, real examples are {tuple(self.real.train.shape[1:])}"
                raise StabilityError(f"sample(n) gives examples of {words}")
            parts.append(part[:missing].to(self.real.train.device))
        return torch.cat(parts)

    def _judge(self, discriminator: nn.Module, samples: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        network = unwrapped(discriminator)
        for module in network.modules():
            if isinstance(module, nn.modules.dropout._DropoutNd):
                module.eval()
        held_out = evenly(self.real.held_out, HELD_OUT)
        judged = samples[: len(held_out)]
        return _logits(network, held_out, batch), _logits(network, judged, batch)

    def _pictures(self, unit: Tensor) -> NDArray[np.uint8] | None:
        """Images as bytes `[n, h, w, c]`; of points in the plane one picture of them all."""
        channels, size = unit.shape[1], unit.shape[-1]
        if size == 1 and channels == 2:
            extent = picture_extent(self.evaluator.dataset.train)
            drawn: NDArray[np.uint8] = draw_points(unit[None].cpu().float(), extent)[0][..., None].numpy()
            return drawn
        if size == 1 or channels not in (1, 3):
            return None
        small = thumbnails(unit[:PICTURES], SIDE).nan_to_num(-1)  # a byte knows no NaN; the metrics tell
        pictures: NDArray[np.uint8] = as_bytes(small).permute(0, 2, 3, 1)[..., :channels].cpu().numpy()
        return pictures


@torch.no_grad()
def _logits(network: nn.Module, examples: Tensor, batch: int) -> Tensor:
    """One logit an example, in batches as in training: batchnorm would notice a shorter one."""
    weight = next(network.parameters(), torch.empty(0))
    unit = examples.float() / 127.5 - 1 if examples.dtype == torch.uint8 else examples
    if unit.shape[-1] == 1 and unit.shape[-2] == 1:
        unit = unit.flatten(1)
    rows = torch.arange(-(-len(unit) // batch) * batch, device=unit.device) % len(unit)
    batches = torch.split(rows, batch)
    parts = [network(unit[part].to(weight.device, weight.dtype)) for part in batches]
    return torch.cat([part.reshape(len(part), -1).mean(1).float() for part in parts])[: len(unit)]


@contextmanager
def left_alone(*modules: nn.Module | None) -> Iterator[None]:
    """Without gradients, from fixed random states; buffers, modes and random states are put back after."""
    known = [module for module in modules if module is not None]
    modes = [(part, part.training) for module in known for part in module.modules()]
    buffers = [(buffer, buffer.clone()) for module in known for buffer in module.buffers()]
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    devices = sorted({w.device.index for m in known for w in m.parameters() if w.device.type == "cuda"})
    with torch.no_grad(), torch.random.fork_rng(devices=devices):
        try:
            random.seed(SEED)
            np.random.seed(SEED)  # noqa: NPY002
            torch.manual_seed(SEED)
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002
            for part, training in modes:
                part.training = training
            for buffer, kept in buffers:
                buffer.copy_(kept)

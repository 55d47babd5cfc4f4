"""What a cohort's generators make to be looked at and measured, as opposed to trained on.

May not import store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from stability.gan.data.inputs import with_labels
from stability.gan.data.points import PICTURED_POINTS, draw_points
from stability.gan.training.placement import Placement
from stability.gan.training.stacked import StackedNetwork
from stability.gan.training.streams import evaluation_noise, picture_noise
from stability.spec.config import Run

Switches = Callable[[Int64[Tensor, " n"]], Mapping[str, Tensor]]


class Sampler:
    """Draws from the generators in training-sized batches, since batchnorm uses the batch at hand."""

    def __init__(
        self,
        network: StackedNetwork,
        members: Sequence[Run],
        placement: Placement,
        *,
        classes: int,
        switches: Switches | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            network: the stacked generators, or their averages.
            members: whose rows they are.
            placement: device and precision.
            classes: how many there are, where the networks are told the class; else 0.
            switches: gives the buffers for rows 0, 1, ... of the samples, where networks take some.

        """
        self._network, self._members, self._placement = network, members, placement
        self._classes, self._switches = classes, switches
        config = members[0].config
        self._latent = config.latent_dim, config.latent
        self._rows = config.batch_size * config.packing

    def labels(self, n: int) -> Int64[Tensor, " n"] | None:
        """The classes that n samples are asked for, in turn; None where networks are told none."""
        return torch.arange(n, device=self._placement.device) % self._classes if self._classes else None

    @torch.no_grad()
    def samples(self, n: int) -> Float[Tensor, "members n c h w"]:
        """Images in -1..1 from each run's evaluation noise."""
        rounded = -(-n // self._rows) * self._rows
        noise = [evaluation_noise(run.seed, rounded, *self._latent) for run in self._members]
        return self._images(torch.stack(noise))[:, :n]

    @torch.no_grad()
    def pictures(self, n: int) -> UInt8[Tensor, "members n h w c"]:
        """The first n images of one training-sized batch of latent points that every run shares."""
        shades = ((self._shared(self._rows)[:, :n] + 1) * 127.5).clamp(0, 255).round()
        black_where_unknown = shades.masked_fill(shades.isnan(), 0)  # a byte knows no NaN; the metrics tell
        return black_where_unknown.to(torch.uint8).permute(0, 1, 3, 4, 2)

    @torch.no_grad()
    def point_clouds(self, extent: float) -> UInt8[Tensor, "members 1 side side 1"]:
        """One picture of many generated points, whose latent points every run shares."""
        rows = -(-PICTURED_POINTS // self._rows) * self._rows
        return draw_points(self._shared(rows)[:, :PICTURED_POINTS].float(), extent)[..., None]

    def _shared(self, rows: int) -> Float[Tensor, "members n c h w"]:
        noise = picture_noise(rows, *self._latent)
        return self._images(noise.expand(len(self._members), *noise.shape))

    def _images(self, noise: Float[Tensor, "members n latent"]) -> Float[Tensor, "members n c h w"]:
        labels, parts = self.labels(noise.shape[1]), []
        for rows in torch.split(torch.arange(noise.shape[1]), self._rows):
            z = noise[:, rows].to(self._placement.device, self._placement.dtype, non_blocking=True)
            own = None if labels is None else labels[rows.to(labels.device)].expand(len(z), -1)
            switches = self._switches(rows) if self._switches else {}
            parts.append(self._network(with_labels(z, own, self._classes), switches))
        return torch.cat(parts, 1)

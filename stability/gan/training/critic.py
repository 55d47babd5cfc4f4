"""The discriminators with all that lies between an image and its logit: range, packs, noise, labels, dropout.

May not import store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from stability.gan.data.inputs import in_range, label_planes, packed
from stability.gan.networks import has_batchnorm, mask_shapes
from stability.gan.training.draws import Draws
from stability.gan.training.stacked import StackedNetwork
from stability.spec.config import Config

Images = Float[Tensor, "members n c h w"]
Inputs = Float[Tensor, "members batch c2 h w"]
Logits = Float[Tensor, "members batch"]
Labels = Int64[Tensor, "members n"]


class Critic:
    """A cohort's discriminators. One example of theirs is a pack of `packing` images."""

    def __init__(
        self,
        network: StackedNetwork,
        config: Config,
        draws: Draws,
        *,
        classes: int,
        noise_std: Float[Tensor, " members"] | None,
    ) -> None:
        """Put the parts together.

        Args:
            network: the stacked discriminators.
            config: of any member, for what is equal among them.
            draws: where dropout masks and instance noise come from.
            classes: how many there are, where the networks are told the class; else 0.
            noise_std: each member's instance noise, None where there is none.

        """
        self.network = network
        self._config, self._draws, self._classes, self._noise_std = config, draws, classes, noise_std
        self._split_batches = has_batchnorm(network.template)
        self._masks = mask_shapes(network.template)

    def set_noise(self, std: Float[Tensor, " members"]) -> None:
        """Go on with this instance noise."""
        self._noise_std = std

    def clean_inputs(self, images: Images, *, real: bool = False) -> Inputs:
        """What the discriminators see of images in -1..1: in the range of their kind, in packs."""
        own = self._config.input_range_real if real else None
        return packed(in_range(images, own or self._config.input_range), self._config.packing)

    def inputs(self, images: Images, *, real: bool = False) -> Inputs:
        """The same with the instance noise that they are trained with."""
        inputs = self.clean_inputs(images, real=real)
        if self._noise_std is None:
            return inputs
        return inputs + as_factor(self._noise_std, inputs) * self._draws.noise(inputs.shape[1:])

    def masks(self, rows: int) -> dict[str, Tensor]:
        """The next dropout masks for that many rows."""
        return self._draws.masks(self._masks, rows)

    def logits(
        self, inputs: Inputs, labels: Labels | None, masks: Mapping[str, Tensor] | None = None
    ) -> Logits:
        """The logits of the inputs, real, fake or in between; the labels of one batch serve several."""
        if labels is not None:
            planes = packed(label_planes(labels, self._classes, inputs), self._config.packing)
            inputs = torch.cat([inputs, planes.repeat(1, inputs.shape[1] // planes.shape[1], 1, 1, 1)], 2)
        return self.network(inputs, masks)

    def real_and_fake_logits(
        self, real: Inputs, fake: Inputs, labels: Labels | None
    ) -> tuple[Logits, Logits]:
        """Real and fake pass together, or apart where batchnorm would mix their statistics."""
        batch = real.shape[1]
        if self._split_batches:
            real_logits = self.logits(real, labels, self.masks(batch))
            return real_logits, self.logits(fake, labels, self.masks(batch))
        both = self.logits(torch.cat([real, fake], 1), labels, self.masks(2 * batch))
        return both[:, :batch], both[:, batch:]

    @torch.no_grad()
    def switches(self, images: Images) -> dict[str, Tensor]:
        """Where the discriminators pool these real images; the images of a pack share its switches."""
        found = self.network.switches(self.clean_inputs(images, real=True))
        return {name: values.repeat_interleave(self._config.packing, 1) for name, values in found.items()}


def as_factor(values: Shaped[Tensor, " members"], like: Float[Tensor, "members ..."]) -> Tensor:
    """One value per member, shaped to meet `[members, ...]`."""
    return values.reshape(-1, *(1 for _ in like.shape[1:]))

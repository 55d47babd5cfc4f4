"""What an architecture is: two builders and what the engine must know about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from torch import nn

from stability.spec.config import Config


class ImageShape(NamedTuple):
    """Channels and side length of a square image; a point is an image of one pixel."""

    channels: int
    size: int
    classes: int = 0
    """Of the labels that a conditional pair is given beside z and the images; 0 for every other pair."""

    @property
    def pixels(self) -> int:
        """Numbers per image."""
        return self.channels * self.size**2

    def seen(self, packing: int) -> ImageShape:
        """What the discriminator sees: a pack's images, each with a plane per class, as channels."""
        return self._replace(channels=(self.channels + self.classes) * packing)


Builder = Callable[[Config, ImageShape], nn.Module]


@dataclass(frozen=True, slots=True)
class Pair:
    """How to build one architecture's two networks from a configuration and the image's shape."""

    generator: Builder
    """z [batch, latent_dim + classes] -> images [batch, channels, size, size], in [-1, 1] unless points.
    It is given the shape of the images."""
    discriminator: Builder
    """Images -> logits [batch]. It is given the shape that it sees, `ImageShape.seen`."""
    convolutional: bool = False
    """Members run one after the other on a CPU, where fusing convolutions gains nothing."""
    conditional: bool = False
    """The generator's z is followed by the one-hot class, the discriminator's images by planes of it."""
    switches: bool = False
    """The discriminator's method `switches(images)` gives the generator's buffers for a batch, by name,
    without dropout (see `unpool`). Members of such a pair always run one after the other."""

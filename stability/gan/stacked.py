"""K copies of one network as stacked leaves, run together (`vmap`) or one after the other.

Linear weights are kept as `[K, in, out]` leaves and handed to the module transposed: stored the usual way
their gradients arrive strided, and copying those took 39% of a step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, vmap


class StackedNetwork:
    """The weights of K members of one structure, and their common forward pass."""

    def __init__(
        self,
        template: nn.Module,
        weights: Sequence[Mapping[str, Tensor]],
        *,
        device: torch.device,
        fused: bool,
    ) -> None:
        """Stack the members' weights.

        Args:
            template: the structure; its own weights are never used (it may live on the meta device).
            weights: each member's weights by parameter name, in the module's own layout.
            device: where the stacked leaves live.
            fused: run the members together under vmap; else one after the other with channels-last images.

        """
        self.template = template
        self.fused = fused
        self._transposed = {
            f"{path}.weight" for path, part in template.named_modules() if isinstance(part, nn.Linear)
        }
        self.leaves = {
            name: torch.stack([self._as_stored(name, member[name]) for member in weights])
            .to(device)
            .requires_grad_()
            for name in weights[0]
        }

    def _as_stored(self, name: str, weight: Tensor) -> Tensor:
        return weight.t() if name in self._transposed else weight

    def _as_module(self, name: str, leaf: Tensor) -> Tensor:
        return leaf.transpose(-1, -2) if name in self._transposed else leaf

    @property
    def parameters(self) -> list[Tensor]:
        """The stacked leaves, `[K, ...]` each."""
        return list(self.leaves.values())

    @property
    def size(self) -> int:
        """Number of weights of one member."""
        return sum(leaf[0].numel() for leaf in self.leaves.values())

    def __call__(
        self, x: Float[Tensor, "members batch *shape"], masks: Mapping[str, Tensor] | None = None
    ) -> Float[Tensor, "members batch *out"]:
        """Run every member on its own rows; `masks` are dropout masks by buffer name, `[K, batch, ...]`."""
        masks = dict(masks or {})
        return self._together(x, masks) if self.fused else self._one_by_one(x, masks)

    def _together(self, x: Tensor, masks: dict[str, Tensor]) -> Tensor:
        weights = {name: self._as_module(name, leaf) for name, leaf in self.leaves.items()}
        if masks:
            return vmap(self._call)(weights, masks, x)
        return vmap(self._call, in_dims=(0, None, 0))(weights, self._plain_masks(x), x)

    def _one_by_one(self, x: Tensor, masks: Mapping[str, Tensor]) -> Tensor:
        rows = [leaf.unbind() for leaf in self.leaves.values()]
        outputs = []
        for k, images in enumerate(x.unbind()):
            weights = {
                name: self._as_module(name, row[k]) for name, row in zip(self.leaves, rows, strict=True)
            }
            member_masks = {name: mask[k] for name, mask in masks.items()} or self._plain_masks(x)
            outputs.append(self._call(weights, member_masks, _channels_last(images)))
        return torch.stack(outputs)

    def _plain_masks(self, x: Tensor) -> dict[str, Tensor]:
        """No dropout, as in evaluation: a one for every mask."""
        return {
            name: torch.ones(mask.shape, dtype=x.dtype, device=x.device)
            for name, mask in self.template.named_buffers()
        }

    def _call(self, weights: dict[str, Tensor], masks: dict[str, Tensor], x: Tensor) -> Tensor:
        out: Tensor = functional_call(self.template, (weights, masks), (x,))
        return out

    def select(self, keep: Sequence[int]) -> None:
        """Keep only these members, in this order."""
        self.leaves = {
            name: leaf.detach()[list(keep)].clone().requires_grad_() for name, leaf in self.leaves.items()
        }

    def state(self) -> dict[str, Tensor]:
        """Copies of the stacked leaves by parameter name."""
        return {name: leaf.detach().clone() for name, leaf in self.leaves.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Overwrite the leaves in place."""
        with torch.no_grad():
            for name, leaf in self.leaves.items():
                leaf.copy_(state[name])

    def member_weights(self, k: int) -> dict[str, Tensor]:
        """One member's weights in the module's own layout, as `load_state_dict` takes them."""
        return {
            name: self._as_module(name, leaf.detach()[k]).clone().contiguous()
            for name, leaf in self.leaves.items()
        }


def _channels_last(x: Tensor) -> Tensor:
    """Images in the layout that convolutions on a CPU are fastest in."""
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x

"""K copies of one network as stacked leaves, run together (`vmap`) or one after the other.

Linear weights are kept as `[K, in, out]` leaves and handed to the module transposed: stored the usual way
their gradients arrive strided, and copying those took 39% of a step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, vmap

from stability.gan.networks import Switches
from stability.gan.training.compiled import compiled
from stability.gan.training.spectral import SpectralNorm
from stability.spec.study import Compile


class StackedNetwork:
    """The weights of K members of one structure, and their common forward pass."""

    def __init__(
        self,
        template: nn.Module,
        weights: Sequence[Mapping[str, Tensor]],
        *,
        device: torch.device,
        fused: bool,
        norm: SpectralNorm | None = None,
        compile: Compile = "none",
    ) -> None:
        """Stack the members' weights.

        Args:
            template: the structure; its own weights are never used (it may live on the meta device).
            weights: each member's weights by parameter name, in the module's own layout.
            device: where the stacked leaves live.
            fused: run the members together, under vmap unless the network itself takes stacks; else one
                after the other with channels-last images.
            norm: divides weights by their largest singular values in every pass.
            compile: how passes that a gradient is taken through are compiled; no second one may be taken.

        """
        self.template = template
        self.fused = fused
        self.norm = norm
        self._compile = compile
        self._training_pass = self._compiled()
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
        self, x: Float[Tensor, "members batch *shape"], buffers: Mapping[str, Tensor] | None = None
    ) -> Float[Tensor, "members batch *out"]:
        """Run every member on its own rows; buffers (dropout masks, switches) by name, `[K, batch, ...]`."""
        buffers = dict(buffers or {})
        if self._training_pass is not None and torch.is_grad_enabled():
            return self._training_pass(x, buffers)
        return self._forward(x, buffers)

    def switches(self, x: Float[Tensor, "members batch *shape"]) -> dict[str, Tensor]:
        """Where every discriminator's pooling finds its maxima, by the names of the generator's buffers."""
        network = Switches(self.template)
        found = [
            functional_call(network, {f"discriminator.{name}": w for name, w in weights.items()}, (images,))
            for weights, images in zip(self._rows(), x.unbind(), strict=True)
        ]
        return {name: torch.stack([own[name] for own in found]) for name in found[0]}

    def _weights(self) -> dict[str, Tensor]:
        """What the passes are computed with, stacked, in the module's own layout."""
        leaves = self.leaves if self.norm is None else self.leaves | self.norm(self.leaves)
        return {name: self._as_module(name, leaf) for name, leaf in leaves.items()}

    def _rows(self) -> list[dict[str, Tensor]]:
        """The same, member by member."""
        rows = {name: leaf.unbind() for name, leaf in self._weights().items()}
        members = len(next(iter(rows.values())))
        return [{name: row[k] for name, row in rows.items()} for k in range(members)]

    def _compiled(self) -> Callable[[Tensor, dict[str, Tensor]], Tensor] | None:
        """None without a compiler: a method kept in its own object would keep the weights until collected."""
        return None if self._compile == "none" else compiled(self._forward, self._compile)

    def _forward(self, x: Tensor, buffers: dict[str, Tensor]) -> Tensor:
        return self._together(x, buffers) if self.fused else self._one_by_one(x, buffers)

    def _together(self, x: Tensor, buffers: dict[str, Tensor]) -> Tensor:
        weights = self._weights()
        if getattr(self.template, "takes_stacks", False):
            return self._call(weights, buffers or self._plain_masks(x), x)
        if buffers:
            return vmap(self._call)(weights, buffers, x)
        return vmap(self._call, in_dims=(0, None, 0))(weights, self._plain_masks(x), x)

    def _one_by_one(self, x: Tensor, buffers: Mapping[str, Tensor]) -> Tensor:
        outputs = []
        for k, (weights, images) in enumerate(zip(self._rows(), x.unbind(), strict=True)):
            own = self._plain_masks(x) | {name: buffer[k] for name, buffer in buffers.items()}
            outputs.append(self._call(weights, own, _channels_last(images)))
        return torch.stack(outputs)

    def _plain_masks(self, x: Tensor) -> dict[str, Tensor]:
        """No dropout, as in evaluation: a one for every mask."""
        return {
            name: torch.ones(mask.shape, dtype=x.dtype, device=x.device)
            for name, mask in self.template.named_buffers()
        }

    def _call(self, weights: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
        out: Tensor = functional_call(self.template, (weights, buffers), (x,))
        return out

    def select(self, keep: Sequence[int]) -> None:
        """Keep only these members, in this order."""
        if self.norm is not None:
            self.norm.select(keep)
        self.leaves = {
            name: leaf.detach()[list(keep)].clone().requires_grad_() for name, leaf in self.leaves.items()
        }
        self._training_pass = self._compiled()

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

"""Matrix products at the speed of the machine, for single matrices and for stacks of them.

torch multiplies float32 matrices on x86 CPUs by MKL, which on some of them is half as fast as oneDNN, the
library behind its convolutions: there every product that is large enough goes to oneDNN, one matrix of a
stack after the other. What is chosen depends on device, type and shape alone, never on the stack's length.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx

LEAST_PRODUCT = 2**21
"""Multiplications in one product from which oneDNN is faster than a batched call of MKL."""
ONEDNN: bool = hasattr(torch.ops.mkldnn, "_linear_pointwise") and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


def product(a: Float[Tensor, "*stack m k"], b: Float[Tensor, "*stack k n"]) -> Float[Tensor, "*stack m n"]:
    """`a @ b`, of two matrices or of two equally long stacks; may be differentiated twice, and under vmap."""
    if _for_onednn(a, b) and not torch.compiler.is_compiling():
        out: Tensor = _Product.apply(a, b)
        return out
    return a @ b


def _for_onednn(a: Tensor, b: Tensor) -> bool:
    large = a.shape[-2] * a.shape[-1] * b.shape[-1] >= LEAST_PRODUCT
    return ONEDNN and large and a.device.type == "cpu" and a.dtype == torch.float32


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(a: Tensor, b: Tensor) -> Tensor:
        if a.dim() == 2:
            return _by_onednn(a, b)
        out = a.new_empty(len(a), a.shape[-2], b.shape[-1])
        for row, one, other in zip(out.unbind(), a.unbind(), b.unbind(), strict=True):
            row.copy_(_by_onednn(one, other))  # at once, while it is in the cache
        return out

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        a, b = ctx.saved_tensors
        for_a, for_b = ctx.needs_input_grad
        return (
            _laid_out_as(a, grad, b.mT) if for_a else None,
            _laid_out_as(b, a.mT, grad) if for_b else None,
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, int | None], a: Tensor, b: Tensor) -> tuple[Tensor, int]:
        stacks = [
            x.expand(info.batch_size, *x.shape) if dim is None else x.movedim(dim, 0)
            for x, dim in zip((a, b), in_dims, strict=True)
        ]
        return product(*stacks), 0


def _laid_out_as(like: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Multiply a and b, the result by columns where `like` is: gradients of one tensor are added up."""
    by_columns = like.stride(-2) == 1 and like.stride(-1) != 1
    return product(b.mT, a.mT).mT if by_columns else product(a, b)


def _by_onednn(a: Float[Tensor, "m k"], b: Float[Tensor, "k n"]) -> Float[Tensor, "m n"]:
    out: Tensor = torch.ops.mkldnn._linear_pointwise(a, b.t(), None, "none", [], "")
    return out

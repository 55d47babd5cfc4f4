"""Matrix products at the speed of the machine, for single matrices and for stacks of them.

torch multiplies float32 matrices on x86 CPUs by MKL. oneDNN, the library behind its convolutions, is up to
twice as fast on some processors and half as fast on others. Where it is faster, every product that is large
enough goes to it, one matrix of a stack after the other. What is chosen depends on the processor, and then on
device, type and shape alone: never on the stack's length, nor on a clock.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx

from stability.gan.arithmetic.processor import processor_vendor

Library = Literal["onednn", "matmul"]

FASTEST: dict[tuple[str, str], Library] = {
    ("AuthenticAMD", "AVX512"): "onednn",
    ("AuthenticAMD", "AVX2"): "matmul",
    ("GenuineIntel", "AVX512"): "matmul",
    ("GenuineIntel", "AVX2"): "matmul",
}
"""The faster library at the shapes of a study, by a processor's vendor and what torch says that it can; any
other has torch's own product. `python -m benchmarks --only products` measures them."""
LEAST_PRODUCT = 2**21
"""Multiplications in one product from which oneDNN is faster than a batched call of MKL."""


def product(a: Float[Tensor, "*stack m k"], b: Float[Tensor, "*stack k n"]) -> Float[Tensor, "*stack m n"]:
    """`a @ b`, of two matrices or of two equally long stacks; may be differentiated twice, and under vmap."""
    if _for_onednn(a, b) and not torch.compiler.is_compiling():
        return product_by_onednn(a, b)
    return a @ b


def product_by_onednn(
    a: Float[Tensor, "*stack m k"], b: Float[Tensor, "*stack k n"]
) -> Float[Tensor, "*stack m n"]:
    """`a @ b` of float32 on a CPU by oneDNN, whatever the processor and the size."""
    out: Tensor = _Product.apply(a, b)
    return out


def _for_onednn(a: Tensor, b: Tensor) -> bool:
    large = a.shape[-2] * a.shape[-1] * b.shape[-1] >= LEAST_PRODUCT
    return LIBRARY == "onednn" and large and a.device.type == "cpu" and a.dtype == torch.float32


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


def chosen_library(vendor: str, capability: str) -> Library:
    """Which library multiplies on a processor: the faster one, if it does what is asked of it here."""
    library = FASTEST.get((vendor, capability), "matmul")
    return library if library == "matmul" or onednn_works() else "matmul"


def onednn_works() -> bool:
    """Whether oneDNN multiplies: torch's operator for it is private, so another release may have another."""
    a = torch.arange(12, dtype=torch.float32, device="cpu").reshape(3, 4)
    b = torch.arange(20, dtype=torch.float32, device="cpu").reshape(4, 5)
    try:
        found = _by_onednn(a, b)
    except (AttributeError, RuntimeError, TypeError):  # no such operator, not built in, other arguments
        return False
    return torch.equal(found, a @ b)  # whole numbers, without any rounding


LIBRARY: Library = chosen_library(processor_vendor(), torch.backends.cpu.get_cpu_capability())
"""What multiplies the large products here; part of what a study's numbers depend on."""

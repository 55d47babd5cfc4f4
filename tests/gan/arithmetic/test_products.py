from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from itertools import product as pairs

import pytest
import torch
from torch import Tensor
from torch.func import vmap

from stability.gan.arithmetic import products
from stability.gan.arithmetic.processor import processor_vendor
from stability.gan.arithmetic.products import (
    FASTEST,
    LEAST_PRODUCT,
    Library,
    _Product,
    chosen_library,
    onednn_works,
    product,
    product_by_onednn,
)

LIBRARIES: list[Library] = ["onednn", "matmul"] if onednn_works() else ["matmul"]
NEEDS_ONEDNN = pytest.mark.skipif(not onednn_works(), reason="this build of torch has no oneDNN")
SHAPES = [(128, 128, 128), (64, 784, 64), (33, 129, 515), (1, 2048, 1024), (2048, 1024, 1), (2048, 1, 1024)]
"""m, k, n of products that are large enough for oneDNN: round numbers, odd ones, vectors."""
SMALL = [(2, 3, 4), (1, 1, 1), (16, 64, 10), (127, 128, 128)]


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def plain(x: Tensor) -> Tensor:
    return x


def by_columns(x: Tensor) -> Tensor:
    return x.mT.contiguous().mT


def with_gaps(x: Tensor) -> Tensor:
    wide = torch.full((*x.shape[:-1], 2 * x.shape[-1]), torch.nan)
    wide[..., ::2] = x
    return wide[..., ::2]


def of_one_row(x: Tensor) -> Tensor:
    return x[..., :1, :].expand(x.shape)


def of_one_column(x: Tensor) -> Tensor:
    return x[..., :1].expand(x.shape)


def cut_out(x: Tensor) -> Tensor:
    """A block of a larger matrix, whose memory begins at an odd place."""
    large = torch.full((*x.shape[:-2], x.shape[-2] + 3, x.shape[-1] + 5), torch.nan)
    large[..., 1:-2, 3:-2] = x
    return large[..., 1:-2, 3:-2]


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    view.__name__: view for view in (plain, by_columns, with_gaps, of_one_row, of_one_column, cut_out)
}


def assert_is_the_product(found: Tensor, a: Tensor, b: Tensor) -> None:
    """To the error that k roundings of float32 may add up to, entry by entry."""
    wanted = a.double() @ b.double()
    bound = a.shape[-1] * torch.finfo(torch.float32).eps * (a.double().abs() @ b.double().abs())
    assert found.shape == wanted.shape
    assert found.dtype == torch.float32
    assert ((found.double() - wanted).abs() <= bound).all()


@pytest.mark.parametrize("layouts", list(pairs(LAYOUTS, LAYOUTS)), ids="-".join)
def test_values_are_those_of_the_product_in_float64(layouts: tuple[str, str]) -> None:
    first, second = (LAYOUTS[name] for name in layouts)
    for m, k, n in SHAPES + SMALL:
        a, b = first(normal(m, k)), second(normal(k, n, seed=1))
        assert_is_the_product(product(a, b), a, b)
    a, b = first(normal(3, 33, 129)), second(normal(3, 129, 515, seed=1))
    assert_is_the_product(product(a, b), a, b)


def is_by_onednn(out: Tensor) -> bool:
    return out.grad_fn is not None and "_Product" in type(out.grad_fn).__name__


@pytest.fixture(autouse=True, params=LIBRARIES)
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Library:
    """Both, whatever this processor would have."""
    monkeypatch.setattr(products, "LIBRARY", request.param)
    chosen: Library = request.param
    return chosen


@pytest.mark.parametrize("library", ["onednn"], indirect=True)
@NEEDS_ONEDNN
def test_onednn_takes_what_is_large_and_nothing_else() -> None:
    for m, k, n in SHAPES:
        assert m * k * n >= LEAST_PRODUCT
        a, b = normal(m, k).requires_grad_(), normal(k, n)
        assert is_by_onednn(product(a, b))
        assert is_by_onednn(product(a.expand(2, m, k), b.expand(2, k, n)))
        assert not is_by_onednn(product(a.double(), b.double()))
    for m, k, n in SMALL:
        a, b = normal(m, k).requires_grad_(), normal(k, n)
        assert not is_by_onednn(product(a, b))
        assert not is_by_onednn(product(a.expand(200, m, k), b.expand(200, k, n)))


IN_DIMS = [(0, 0), (0, None), (None, 0), (1, 0), (0, 2), (2, 1), (None, 2), (1, None)]


@pytest.mark.parametrize("dims", IN_DIMS, ids=str)
@pytest.mark.parametrize("shape", [(64, 784, 64), (33, 129, 515), (4, 5, 6)], ids=str)
def test_under_vmap_every_product_is_its_own(shape: tuple[int, int, int], dims: tuple) -> None:
    m, k, n = shape
    stacks = normal(3, m, k), normal(3, k, n, seed=1)
    alone = [stack if dim is not None else stack[0] for stack, dim in zip(stacks, dims, strict=True)]
    given = [x if dim is None else x.movedim(0, dim) for x, dim in zip(alone, dims, strict=True)]
    out = vmap(product, in_dims=dims)(*given)
    for row in range(3):
        a, b = (x if dim is None else x[row] for x, dim in zip(alone, dims, strict=True))
        assert_is_the_product(out[row], a, b)
        own = [x if dim is None else x.narrow(dim, row, 1) for x, dim in zip(given, dims, strict=True)]
        assert torch.equal(out[row], vmap(product, in_dims=dims)(*own)[0])
        if m * k * n >= LEAST_PRODUCT:  # torch may multiply small ones otherwise in a stack, even in one of 1
            assert torch.equal(out[row], product(a.contiguous(), b.contiguous()))


@pytest.fixture
def of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function itself in float64 and on small matrices, oneDNN's part by torch's own product."""
    monkeypatch.setattr(products, "_by_onednn", lambda a, b: a @ b)


@pytest.mark.usefixtures("of_any_size")
@pytest.mark.parametrize("shape", [(3, 4, 2), (1, 5, 1), (2, 1, 3)], ids=str)
@pytest.mark.parametrize("layout", ["plain", "by_columns"])
@pytest.mark.parametrize("stack", [(), (3,)], ids=["matrix", "stack"])
def test_first_and_second_derivatives_are_those_of_a_product(
    shape: tuple[int, int, int], layout: str, stack: tuple[int, ...]
) -> None:
    m, k, n = shape
    view = LAYOUTS[layout]
    a = view(normal(*stack, m, k, dtype=torch.float64)).requires_grad_()
    b = view(normal(*stack, k, n, seed=1, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(_Product.apply, (a, b))
    assert torch.autograd.gradgradcheck(_Product.apply, (a, b))
    assert torch.autograd.gradcheck(lambda a: _Product.apply(a, b.detach()), (a,))
    assert torch.autograd.gradcheck(lambda b: _Product.apply(a.detach(), b), (b,))


@pytest.mark.usefixtures("of_any_size")
def test_so_are_those_under_vmap() -> None:
    a = normal(3, 2, 4, dtype=torch.float64).requires_grad_()
    b = normal(4, 3, seed=1, dtype=torch.float64).requires_grad_()

    def shared(a: Tensor, b: Tensor) -> Tensor:
        return vmap(_Product.apply, in_dims=(0, None))(a, b)

    assert torch.autograd.gradcheck(shared, (a, b))
    assert torch.autograd.gradgradcheck(shared, (a, b))


def with_penalty(multiply: Callable[[Tensor, Tensor], Tensor], a: Tensor, b: Tensor) -> tuple[Tensor, ...]:
    """Gradients of a squared norm of a gradient, as a penalty takes them."""
    out = multiply(multiply(a, b).tanh(), b.mT)
    (slope,) = torch.autograd.grad(out.square().sum(), a, create_graph=True)
    return torch.autograd.grad(slope.square().sum(), [a, b])


@pytest.mark.parametrize("shape", [(64, 784, 64), (33, 129, 515)], ids=str)
def test_in_float32_a_penaltys_gradients_are_those_in_float64(shape: tuple[int, int, int]) -> None:
    m, k, n = shape
    a, b = normal(2, m, k) / 10, normal(2, k, n, seed=1) / k**0.5
    found = with_penalty(product, a.requires_grad_(), b.requires_grad_())
    wanted = with_penalty(torch.matmul, *(x.detach().double().requires_grad_() for x in (a, b)))
    for ours, theirs in zip(found, wanted, strict=True):
        assert (ours - theirs).abs().max() < 1e-5 * theirs.abs().max()


@pytest.mark.parametrize("layouts", list(pairs(("plain", "by_columns"), repeat=2)), ids="-".join)
@pytest.mark.parametrize("shape", [(64, 784, 64), (33, 129, 515), (1, 2048, 1024)], ids=str)
def test_a_matrix_has_the_same_bits_alone_and_in_any_stack(
    library: Library, shape: tuple[int, int, int], layouts: tuple[str, str]
) -> None:
    """torch's own product rounds a lone row otherwise: a cohort has two members at least."""
    m, k, n = shape
    also_alone = library == "onednn" or m > 1
    first, second = (LAYOUTS[name] for name in layouts)
    a, b = first(normal(5, m, k)), second(normal(5, k, n, seed=1))
    slope = normal(5, m, n, seed=2)

    def gradients(rows: list[int]) -> tuple[Tensor, ...]:
        own = [first(a[rows]).requires_grad_(), second(b[rows]).requires_grad_()]
        out = product(*own)
        return (out.detach(), *torch.autograd.grad(out, own, slope[rows]))

    whole = gradients([0, 1, 2, 3, 4])
    for rows in ([2], [4, 1], [3, 2, 2, 0], [4, 3, 2, 1, 0] * 2)[0 if also_alone else 1 :]:
        for found, wanted in zip(gradients(rows), whole, strict=True):
            assert torch.equal(found, wanted[rows])
    if also_alone:
        assert torch.equal(product(a[2], b[2]), whole[0][2])
    assert torch.equal(vmap(product)(a, b), whole[0])


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("zeros", [False, True])
def test_what_is_not_finite_stays_and_in_its_own_rows(value: float, zeros: bool) -> None:
    a, b = normal(2, 64, 784), torch.zeros(2, 784, 64) if zeros else normal(2, 784, 64, seed=1)
    clean = product(a, b)
    a[1, 3, 5] = value
    out = product(a, b)
    assert not out[1, 3].isfinite().any()
    if not zeros and value in (torch.inf, -torch.inf):
        assert torch.equal(out[1, 3], value * b[1, 5].sign())
    else:
        assert out[1, 3].isnan().all()
    assert torch.equal(out[0], clean[0])
    others = [row for row in range(64) if row != 3]
    assert torch.equal(out[1, others], clean[1, others])


@pytest.mark.parametrize("library", ["matmul"], indirect=True)
def test_without_onednn_it_is_the_same_to_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_by_onednn", None)
    for m, k, n in SHAPES + SMALL:
        a, b = normal(2, m, k).requires_grad_(), normal(2, k, n, seed=1).requires_grad_()
        out = product(a, b)
        assert not is_by_onednn(out)
        assert_is_the_product(out.detach(), a.detach(), b.detach())
        slope = normal(2, m, n, seed=2)
        for_a, for_b = torch.autograd.grad(out, [a, b], slope)
        assert_is_the_product(for_a, slope, b.detach().mT)
        assert_is_the_product(for_b, a.detach().mT, slope)


def test_matrices_that_do_not_fit_are_refused() -> None:
    with pytest.raises(Exception, match=r"k|size|shape"):
        product(normal(64, 784), normal(783, 64))


@NEEDS_ONEDNN
def test_a_processor_has_the_library_of_the_table() -> None:
    others = [("AuthenticAMD", "DEFAULT"), ("", "AVX512"), ("", "SVE256"), ("HygonGenuine", "AVX2")]
    assert {key: chosen_library(*key) for key in FASTEST} == FASTEST
    assert {chosen_library(*key) for key in others} == {"matmul"}
    assert {*FASTEST.values()} == {"onednn", "matmul"}


@pytest.mark.parametrize("allowed", ["avx2", "default"])
def test_the_choice_is_by_what_torch_is_allowed_to_use(allowed: str) -> None:
    code = (
        "import torch; from stability.gan.arithmetic import products; "
        "print(torch.backends.cpu.get_cpu_capability(), products.LIBRARY)"
    )
    environment = os.environ | {"ATEN_CPU_CAPABILITY": allowed}
    out = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
    capability, library = out.rsplit(maxsplit=1)
    assert library == chosen_library(processor_vendor(), capability)


def raising(error: Exception) -> Callable[[Tensor, Tensor], Tensor]:
    def operator(a: Tensor, b: Tensor) -> Tensor:
        raise error

    return operator


OPERATORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "missing": raising(AttributeError("no such operator")),
    "not built in": raising(RuntimeError("mkldnn is not available")),
    "other arguments": raising(TypeError("takes seven")),
    "other numbers": lambda a, b: (a @ b).nextafter(torch.tensor(torch.inf)),
    "other shape": lambda a, b: (a @ b).mT,
}


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_that_fails_or_differs_is_left(monkeypatch: pytest.MonkeyPatch, operator: str) -> None:
    monkeypatch.setattr(products, "_by_onednn", OPERATORS[operator])
    assert chosen_library("AuthenticAMD", "AVX512") == "matmul"


@NEEDS_ONEDNN
def test_the_operator_itself_takes_any_size() -> None:
    for m, k, n in SHAPES + SMALL:
        a, b = normal(2, m, k), normal(2, k, n, seed=1)
        assert_is_the_product(product_by_onednn(a, b), a, b)

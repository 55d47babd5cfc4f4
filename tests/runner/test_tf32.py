"""TF32 is asked for by the study file: it is for CUDA devices alone, and what a CPU computes stays."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from small_studies import CPU, mnist_describer, small_mnist, small_spec
from torch.nn.functional import conv2d

from stability.design.extend import check_extension
from stability.errors import StabilityError
from stability.runner.devices import describe_environment, environment_changes, prepare

SWITCHES = {
    "float32_matmul": ("highest", "high"),
    "cudnn_tf32": (False, True),
}
"""What `arithmetic` says in the environment, without TF32 and with it."""


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    yield
    prepare(torch.get_num_threads())


def arithmetic() -> dict[str, object]:
    described = json.loads(json.dumps(describe_environment(CPU, small_mnist(), mnist_describer())))
    return described["arithmetic"]


def cuda_precisions() -> set[str]:
    """Of products and convolutions, as torch's kernels ask for them."""
    return {torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision}


def test_it_is_off_unless_asked_for_and_off_again_after() -> None:
    for tf32 in (False, True, False, True, True, False):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            prepare(torch.get_num_threads(), tf32=tf32)
            said = arithmetic()
        assert {name: said[name] for name in SWITCHES} == {
            name: both[tf32] for name, both in SWITCHES.items()
        }
        assert ("tf32" in cuda_precisions()) == tf32
        assert torch.backends.cuda.matmul.allow_tf32 == torch.backends.cudnn.allow_tf32 == tf32
        assert said["mkldnn_matmul"] == torch.backends.mkldnn.matmul.fp32_precision == "ieee"
    prepare(torch.get_num_threads(), tf32=True)
    prepare(torch.get_num_threads())
    assert "tf32" not in cuda_precisions()


def test_with_it_both_products_and_convolutions_are_in_tf32() -> None:
    prepare(torch.get_num_threads(), tf32=True)
    assert cuda_precisions() == {"tf32"}


def test_what_a_cpu_computes_stays_bit_for_bit() -> None:
    generator = torch.Generator().manual_seed(1)
    a, b = (torch.randn(300, 300, generator=generator) for _ in range(2))
    images, kernel = (
        torch.randn(8, 3, 32, 32, generator=generator),
        torch.randn(16, 3, 4, 4, generator=generator),
    )

    def numbers() -> list[torch.Tensor]:
        linear = torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
        return [a @ b, torch.bmm(a[None], b[None]), conv2d(images, kernel), linear]

    prepare(torch.get_num_threads(), tf32=True)
    fast = numbers()
    prepare(torch.get_num_threads(), tf32=False)
    assert all(torch.equal(one, other) for one, other in zip(fast, numbers(), strict=True))
    exact = a.double() @ b.double()
    assert (fast[0] - exact).abs().max() < 1e-4  # 10 bits of mantissa would be off by .01


def test_a_change_of_it_is_told() -> None:
    before = {"arithmetic": arithmetic()}
    prepare(torch.get_num_threads(), tf32=True)
    assert set(environment_changes(before, {"arithmetic": arithmetic()})) == {
        f"arithmetic.{name}" for name in SWITCHES
    }


@pytest.mark.parametrize(
    ("setting", "change"),
    [
        ("training.tf32=true", "training.tf32: false -> true"),
        ("training.compile=kernels", 'training.compile: "none" -> "kernels"'),
        ("training.compile=cuda-graphs", 'training.compile: "none" -> "cuda-graphs"'),
    ],
)
def test_a_study_under_way_keeps_its_arithmetic(setting: str, change: str) -> None:
    with pytest.raises(StabilityError, match=change):
        check_extension(small_spec(), small_spec(setting), Path("results"))
    assert check_extension(small_spec(setting), small_spec(setting), Path("results")) == ()

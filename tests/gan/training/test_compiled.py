"""Networks under torch.compile: slow, since each is compiled anew."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from cohorts import CPU, CPU64, make_run, some_images, some_labels, train
from jaxtyping import config as jaxtyping_config
from torch import Tensor
from torch._dynamo.utils import counters

from stability.errors import StabilityError
from stability.gan.training.cohort import Cohort
from stability.gan.training.compiled import MODES, compiled
from stability.gan.training.penalties import PENALTIES
from stability.gan.training.placement import Placement
from stability.spec.config import Config
from stability.spec.study import Compile, Training

DEVICE = torch.device("cpu")
KERNELS = Placement(DEVICE, compile="kernels")
KERNELS64 = Placement(DEVICE, torch.float64, compile="kernels")
WITHOUT_COMPILER = """
import torch
from stability.gan.training.compiled import check_compiler
from stability.errors import StabilityError
try:
    check_compiler("kernels", torch.device("cpu"))
except StabilityError as error:
    print(error)
"""


@pytest.fixture(autouse=True)
def as_outside_of_tests() -> Iterator[None]:
    """Nothing is compiled yet, and no shapes are checked, which cannot be compiled."""
    torch.compiler.reset()
    counters.clear()
    jaxtyping_config.update("jaxtyping_disable", True)
    yield
    jaxtyping_config.update("jaxtyping_disable", False)
    torch.compiler.reset()


def make_cohort(placement: Placement, members: int = 3, **parameters: Any) -> Cohort:
    runs = [make_run(k, **{"lr": 3e-4 * (k + 1), **parameters}) for k in range(members)]
    return Cohort(runs, some_images(), placement, labels=some_labels())


def furthest(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    """The largest difference of a network's weights, as a share of the largest of their tensor."""
    names = [name for name in theirs if name.startswith(("generator/", "discriminator/", "average/"))]
    scales = {name: theirs[name].abs().max().clamp_min(1e-3) for name in names}
    return max(float((ours[name] - theirs[name]).abs().max() / scales[name]) for name in names)


def test_every_kind_that_a_study_accepts_has_its_mode() -> None:
    assert tuple(MODES) == get_args(Compile)


def test_by_default_nothing_is_compiled() -> None:
    assert Placement.of(Training(), DEVICE) == CPU
    train(make_cohort(CPU), 2)
    assert not counters["stats"]

    def plain(x: Tensor) -> Tensor:
        return x

    assert compiled(plain, "none") is plain


@pytest.mark.parametrize("penalty", PENALTIES)
def test_discriminators_under_a_penalty_are_not_compiled(penalty: str) -> None:
    kind = KERNELS.compiles(Config(penalty=penalty))
    assert kind == ("kernels" if penalty == "none" else "none")


def test_cuda_graphs_need_a_cuda_device() -> None:
    with pytest.raises(StabilityError) as caught:
        Placement.of(Training(compile="cuda-graphs"), DEVICE)
    assert str(caught.value) == "training.compile: cuda-graphs needs a CUDA device, this study is on cpu"


def test_cuda_graphs_are_told_where_a_step_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: told.append(cohort.step))
    cohort = make_cohort(CPU)
    train(cohort, 2)
    assert told == []
    cohort.placement = Placement(DEVICE, compile="cuda-graphs")
    train(cohort, 4)
    assert told == [2, 3]


@pytest.mark.slow
def test_without_a_compiler_one_line_says_so(tmp_path: Path) -> None:
    places = {"CXX": str(tmp_path / "no-compiler"), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    answer = subprocess.run(
        [sys.executable, "-c", WITHOUT_COMPILER],
        env=os.environ | places,
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = answer.stdout.splitlines()
    assert line.startswith("training.compile: kernels: torch.compile fails (")
    assert "it needs a C++ compiler" in line


@pytest.mark.slow
def test_with_one_it_is_content() -> None:
    assert Placement.of(Training(compile="kernels"), DEVICE) == KERNELS
    assert counters["stats"]["unique_graphs"] == 1


@pytest.mark.slow
def test_networks_that_cannot_be_compiled_are_told_in_one_line() -> None:
    def reading(x: Tensor) -> Tensor:
        return x if float(x.sum().item()) > 0 and print("seen") is None else -x

    with pytest.raises(
        StabilityError, match=r"^training.compile: kernels: torch.compile fails \(.*\n?.*without$"
    ):
        compiled(reading, "kernels")(torch.ones(3))


EXTRAS: dict[str, dict[str, Any]] = {
    "mlp": {"batchnorm": "generator"},
    "mlp-everything": {
        "spectral_norm": True,
        "instance_noise": 0.1,
        "dropout": 0.1,
        "ema_decay": 0.5,
        "packing": 2,
        "n_dis": 2,
        "n_gen": 2,
        "batchnorm": "both",
    },
    "mlp-penalty": {"penalty": "r1-r2", "batchnorm": "none"},
    "dcgan": {"architecture": "dcgan"},
}
PARTS = ("mlp-everything", "mlp-penalty")
"""These alone are tried where time is short: what is compiled is the same in the others."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "extra",
    [pytest.param(name, marks=() if name in PARTS else pytest.mark.full) for name in EXTRAS],
)
def test_in_float64_compiled_networks_train_as_others(extra: str) -> None:
    steps = 50 if extra.startswith("mlp") else 5
    wanted = train(make_cohort(CPU64, **EXTRAS[extra]), steps)
    assert not counters["stats"]
    found = train(make_cohort(KERNELS64, **EXTRAS[extra]), steps)
    assert counters["stats"]["unique_graphs"] == (1 if extra == "mlp-penalty" else 3)
    assert furthest(found, wanted) < 1e-7


@pytest.mark.slow
def test_in_float32_too_and_they_are_recorded() -> None:
    # Products that are large enough for oneDNN; neither batchnorm nor Adam: of a gradient that vanishes only
    # rounding is left, which differs by processor, and of which Adam makes a whole step.
    wide = {"width": 128, "batch_size": 64, "batchnorm": "none", "optimizer": "sgd", "lr": 0.05}
    plain, fast = make_cohort(CPU, **wide), make_cohort(KERNELS, **wide)
    theirs = [record for records in plain.train(3, record_every=1) for record in records]
    ours = [record for records in fast.train(3, record_every=1) for record in records]
    assert counters["stats"]["unique_graphs"] == 3
    assert [(record.run, record.step) for record in ours] == [(record.run, record.step) for record in theirs]
    for found, wanted in zip(ours, theirs, strict=True):
        assert found.loss_d == pytest.approx(wanted.loss_d, rel=1e-3)
        assert found.grad_norm_g == pytest.approx(wanted.grad_norm_g, rel=1e-3)
    assert furthest(fast.state(), plain.state()) < 1e-3
    assert torch.equal(fast.samples(20), fast.samples(20))


@pytest.mark.slow
def test_what_is_compiled_goes_on_from_a_state_and_with_some_of_its_members() -> None:
    straight = make_cohort(KERNELS64)
    halfway = train(straight, 3)
    whole = train(straight, 6)
    resumed = make_cohort(KERNELS64)
    resumed.load_state(halfway)
    for name, value in train(resumed, 6).items():
        assert torch.equal(value, whole[name]), name
    counters.clear()
    fewer = make_cohort(KERNELS64)
    fewer.load_state(halfway)
    fewer.select([2, 0])
    rest = train(fewer, 6)
    assert counters["stats"]["unique_graphs"] == 3
    chosen = {name: value[[2, 0]] if value.dim() else value for name, value in whole.items()}
    assert furthest(rest, chosen) < 1e-9


@pytest.mark.slow
@torch._dynamo.config.patch(recompile_limit=3)  # what one cohort needs
def test_cohorts_one_after_the_other_are_all_compiled() -> None:
    for members in (2, 3):
        counters.clear()
        train(make_cohort(KERNELS64, members), 1)
        assert counters["stats"]["unique_graphs"] == 3


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, this machine has none")
@pytest.mark.parametrize("kind", ["kernels", "cuda-graphs"])
@pytest.mark.parametrize("extra", EXTRAS)
def test_on_a_gpu_compiled_networks_train_as_others(kind: Compile, extra: str) -> None:
    gpu, images = torch.device("cuda"), some_images().cuda()
    runs = [make_run(k, lr=3e-4 * (k + 1), **EXTRAS[extra]) for k in range(3)]
    plain = Cohort(runs, images, Placement(gpu, torch.float64))
    fast = Cohort(runs, images, Placement(gpu, torch.float64, kind))
    for records, wanted in zip(fast.train(20, record_every=5), plain.train(20, record_every=5), strict=True):
        for ours, theirs in zip(records, wanted, strict=True):
            assert ours.loss_d == pytest.approx(theirs.loss_d, rel=1e-6)
            assert ours.grad_norm_g == pytest.approx(theirs.grad_norm_g, rel=1e-6)
        assert torch.equal(fast.samples(20), fast.samples(20))
    assert furthest(fast.state(), plain.state()) < 1e-7

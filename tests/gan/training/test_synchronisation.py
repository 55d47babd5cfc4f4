"""No step reads a value back: on a GPU each such read would wait for all that is under way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest
import torch
from cohorts import CPU, make_run, some_images, some_labels, some_points
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from stability.gan.losses import LOSSES
from stability.gan.networks import ARCHITECTURES
from stability.gan.training import cohort as engine
from stability.gan.training.cohort import Cohort
from stability.gan.training.diagnostics import Trace
from stability.gan.training.optimizers import OPTIMIZERS, WholeStackAdam, WholeStackAdamW
from stability.gan.training.penalties import PENALTIES
from stability.gan.training.placement import Placement
from stability.spec.config import ADAMS, POINT_ARCHITECTURES

READS = (
    "_local_scalar_dense",
    "item",
    "is_nonzero",
    "nonzero",
    "masked_select",
    "equal",
    "allclose",
    "_unique2",
    "unique_dim",
)
"""Operations whose result, or its size, the processor has to wait for."""
METHODS = ("item", "cpu", "numpy", "tolist", "__bool__", "__int__", "__float__", "__array__")
"""The methods of a tensor that read it; some do nothing on a CPU that a dispatcher would see."""


class WaitedError(AssertionError):
    """A value was read back."""


class NoReads(TorchDispatchMode):
    """Fails on every operation that would wait for a device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in READS or (name.startswith("index") and _by_mask(args)):
            raise WaitedError(str(func))
        return func(*args, **(kwargs or {}))


def _by_mask(args: tuple[Any, ...]) -> bool:
    indices = args[1] if len(args) > 1 and isinstance(args[1], (list, tuple)) else args[1:2]
    return any(isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8) for index in indices)


def waits(name: str) -> Callable[..., None]:
    def method(*_: object, **__: object) -> None:
        raise WaitedError(f"Tensor.{name}")

    return method


@contextmanager
def no_reads() -> Iterator[None]:
    with mock.patch.multiple(Tensor, **{name: waits(name) for name in METHODS}), NoReads():
        yield


def data_of(architecture: str) -> Tensor:
    if architecture == "dirac":
        return torch.zeros(64, 1, 1, 1)
    return some_points() if architecture in POINT_ARCHITECTURES else some_images()


def build(placement: Placement = CPU, **parameters: Any) -> Cohort:
    """Two members, by default of two losses."""
    architecture = parameters.get("architecture", "mlp")
    own = {"latent_dim": 1, "batchnorm": "none"} if architecture == "dirac" else {}
    losses = [parameters.pop("loss")] * 2 if "loss" in parameters else ["hinge", "non-saturating"]
    runs = [make_run(k, loss=loss, lr=1e-3 * (k + 1), **own | parameters) for k, loss in enumerate(losses)]
    images = data_of(architecture)
    return Cohort(runs, images, placement, labels=some_labels(len(images)))


def step_without_reads(cohort: Cohort, steps: int = 2) -> None:
    before = cohort.state()
    for _ in range(steps):
        with no_reads():
            cohort.follow_schedules()
            cohort.update_discriminators()
            cohort.update_generators()
        cohort.step += 1
    after = cohort.state()
    trained = [name for name in after if name.startswith(("generator/", "optimizer_d/"))]
    assert any(not torch.equal(before[name], after[name]) for name in trained)


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members together whatever their networks, and Adam over the whole stack."""
    monkeypatch.setattr(Placement, "fused", lambda self, config: config.architecture != "unpool")
    monkeypatch.setitem(OPTIMIZERS, "adam", WholeStackAdam)
    monkeypatch.setitem(OPTIMIZERS, "adamw", WholeStackAdamW)


EVERYTHING = {
    "spectral_norm": True,
    "instance_noise": 0.1,
    "label_smoothing": 0.1,
    "dropout": 0.1,
    "ema_decay": 0.5,
    "packing": 2,
    "n_dis": 2,
    "n_gen": 2,
    "accuracy_bar": 0.7,
    "batchnorm": "both",
    "weight_clip": 0.1,
    "train_size": 30,
    "input_range": "bytes",
    "latent": "uniform",
    "label_noise": 0.1,
    "label_flip": 0.1,
    "minibatch_std": True,
    "dropout_g": 0.1,
    "weight_decay": 0.1,
    "norm_g": "layer",
}
STRUCTURES: dict[str, dict[str, Any]] = {
    **{f"penalty-{name}": {"penalty": name, "batchnorm": "none"} for name in PENALTIES},
    **{f"optimizer-{name}": {"optimizer": name, "momentum": 0.5} for name in OPTIMIZERS},
    **{f"loss-{name}": {"loss": name} for name in LOSSES},
    **{f"{name}-{value}": {name: value} for name, value in EVERYTHING.items()},
    "schedules": {
        "lr_schedule": "cosine",
        "decay_steps": 9,
        "warmup_steps": 2,
        "instance_noise": 0.1,
        "instance_noise_steps": 9,
        "label_smoothing_fake": 0.1,
        "label_smoothing_steps": 9,
    },
    "replay": {"replay": 0.5, "replay_batches": 1},
    "everything": EVERYTHING,
    "everything-penalised": EVERYTHING | {"penalty": "dragan"},
}
ALL_OF_IT = ("penalty-none", "penalty-r1-r2", "everything", "everything-penalised", "spectral_norm-True")


@pytest.mark.parametrize("structure", STRUCTURES)
def test_no_step_reads_a_value_back(structure: str) -> None:
    step_without_reads(build(**STRUCTURES[structure]))


@pytest.mark.parametrize("structure", ALL_OF_IT)
@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name not in ("mlp", "dirac")])
def test_nor_does_one_of_another_architecture(architecture: str, structure: str) -> None:
    step_without_reads(build(architecture=architecture, **STRUCTURES[structure]), steps=1)


def test_nor_does_one_of_the_one_parameter_gan() -> None:
    step_without_reads(build(architecture="dirac", penalty="r1"))


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize("structure", STRUCTURES)
def test_nor_does_one_as_on_a_gpu(structure: str) -> None:
    cohort = build(**STRUCTURES[structure])
    assert cohort.generator.fused
    assert isinstance(cohort._optimizer_g, WholeStackAdam) == (cohort.config.optimizer in ADAMS)
    step_without_reads(cohort)


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize("structure", ALL_OF_IT)
@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name not in ("mlp", "dirac")])
def test_nor_does_one_of_another_architecture_as_on_a_gpu(architecture: str, structure: str) -> None:
    step_without_reads(build(architecture=architecture, **STRUCTURES[structure]), steps=1)


@pytest.mark.parametrize("structure", ["penalty-r1", "everything"])
def test_nor_does_one_that_is_to_be_recorded_before_its_record(structure: str) -> None:
    cohort = build(**STRUCTURES[structure])
    cohort._trace = Trace()
    step_without_reads(cohort, steps=1)
    assert [record.step for record in cohort._record()] == [1, 1]


READERS: dict[str, Callable[[Tensor], object]] = {
    "item": lambda loss: loss.sum().item(),
    "float": lambda loss: float(loss.sum()),
    "int": lambda loss: int(loss.detach().sum()),
    "bool": lambda loss: bool(loss.sum() > 0),
    "if": lambda loss: 1 if loss.sum() > 0 else 0,
    "all": lambda loss: torch.equal(loss, loss),
    "cpu": lambda loss: loss.cpu(),
    "numpy": lambda loss: loss.detach().numpy(),
    "tolist": lambda loss: loss.tolist(),
    "is_nonzero": lambda loss: torch.is_nonzero(loss.sum()),
    "nonzero": lambda loss: loss.nonzero(),
    "where": lambda loss: torch.where(loss > 0),
    "mask": lambda loss: loss[loss > 0],
    "put": lambda loss: loss.detach().clone().__setitem__(loss > 0, torch.zeros(())),
    "select": lambda loss: torch.masked_select(loss, loss > 0),
    "unique": lambda loss: loss.detach().unique(),
    "isclose": lambda loss: torch.allclose(loss, loss),
}


@pytest.mark.parametrize("read", READERS)
def test_a_loss_that_reads_a_value_back_is_caught(read: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hinge = LOSSES["hinge"]

    def reading(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        loss = hinge.discriminator(real_logits, fake_logits)
        READERS[read](loss)
        return loss

    step_without_reads(build(loss="hinge"))
    monkeypatch.setitem(LOSSES, "hinge", replace(hinge, discriminator=reading))
    cohort = build(loss="hinge")
    with pytest.raises(WaitedError):
        step_without_reads(cohort)


def test_so_is_one_in_the_check_of_what_is_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    def note_bad(first_bad: Tensor, values: Tensor, step: int) -> Tensor:
        return first_bad if values.isfinite().all() else first_bad * step

    cohort = build()
    monkeypatch.setattr(engine.diagnostics, "note_bad", note_bad)
    with pytest.raises(WaitedError, match="__bool__"):
        step_without_reads(cohort)

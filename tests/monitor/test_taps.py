from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from cohorts import CPU64, make_run, some_images
from plain_loop import PlainLoop
from torch import Tensor, nn
from torch.nn import functional as F

from stability.gan.training.cohort import Cohort
from stability.monitor.taps import MOST_LOGITS, Taps, evenly, unwrapped
from stability.records import Record

CPU = torch.device("cpu")
STEPS = 8
CASES: dict[str, dict[str, Any]] = {
    "mlp": {},
    "dcgan, hinge, spectral norm": {"architecture": "dcgan", "loss": "hinge", "spectral_norm": True},
    "clipped critic, two updates": {"loss": "wasserstein", "weight_clip": 0.01, "n_dis": 2},
    "gradient penalty, rmsprop, a schedule": {
        "loss": "wasserstein",
        "penalty": "gradient-penalty",
        "optimizer": "rmsprop",
        "lr_schedule": "linear",
        "decay_steps": 20,
        "n_gen": 2,
    },
}


class ToldLoop(PlainLoop):
    """The textbook's loop, with what its last step had kept as a loop has it in variables."""

    def labelled_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        loss = super().labelled_loss(real, fake)
        self.told = {"real_logits": real, "fake_logits": fake, "loss_d": loss}
        return loss

    def penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        cost = super().penalty(real, fake)
        self.told["penalty"] = None if self.config.penalty == "none" else cost
        return cost

    def generator_loss(self, real: Tensor | None, fake: Tensor) -> Tensor:
        self.told["loss_g"] = super().generator_loss(real, fake)
        return self.told["loss_g"]


def engine_records(run: Any) -> Iterator[Record]:
    for records in Cohort([run], some_images(), CPU64).train(STEPS, 2):
        yield from records


def told_records(run: Any) -> Iterator[Record]:
    loop = ToldLoop(run, some_images())
    taps = Taps(loop.g, loop.d, CPU, sigmoid=run.config.loss == "non-saturating")
    for step in range(1, STEPS + 1):
        if step % 2 == 0:
            taps.arm()
        loop.follow_schedules(step - 1)
        one_step(loop)
        if step % 2 == 0:
            yield taps.record(run.run, step, loop.told)


def one_step(loop: ToldLoop) -> None:
    for _ in range(loop.config.n_dis):
        loop.discriminator_step()
    for update in range(loop.config.n_gen):
        if update > 0:
            loop.fake = loop.generate()
        loop.generator_step()


@pytest.mark.parametrize("name", CASES)
def test_a_plain_loop_leaves_the_records_that_the_engine_does(name: str) -> None:
    run = make_run(3, **CASES[name])
    ours, told = list(engine_records(run)), list(told_records(run))
    assert [record.step for record in told] == [record.step for record in ours] == [2, 4, 6, 8]
    for a, b in zip(ours, told, strict=True):
        for field in dataclasses.fields(Record):
            expected, found = getattr(a, field.name), getattr(b, field.name)
            if isinstance(expected, float) or field.name.startswith("layer_grad"):
                assert found == pytest.approx(expected, rel=1e-6, abs=1e-9), (field.name, a.step)
            else:
                assert found == expected, field.name


def small_pair() -> tuple[nn.Module, nn.Module]:
    generator = torch.Generator().manual_seed(1)
    networks = nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    for weight in (weight for network in networks for weight in network.parameters()):
        weight.data.normal_(generator=generator)
    return networks


def gan_step(g: nn.Module, d: nn.Module, og: Any, od: Any) -> dict[str, Tensor]:
    """A usual step that clears no gradient of the discriminator's after the generator's backward pass."""
    real, fake = torch.ones(8, 2), g(torch.linspace(-1, 1, 24).reshape(8, 3))
    d_real, d_fake = d(real), d(fake.detach())
    loss_d = F.softplus(-d_real).mean() + F.softplus(d_fake).mean()
    od.zero_grad()
    loss_d.backward()
    od.step()
    og.zero_grad()
    loss_g = F.softplus(-d(fake)).mean()
    loss_g.backward()
    og.step()
    return {"loss_d": loss_d, "loss_g": loss_g, "real_logits": d_real, "fake_logits": d_fake}


def record_of(g: nn.Module, d: nn.Module, og: Any, od: Any) -> Record:
    taps = Taps(g, d, CPU, sigmoid=True)
    taps.arm()
    told = gan_step(g, d, og, od)
    return taps.record("run", 1, told)


def test_a_discriminators_gradient_is_that_of_its_own_loss() -> None:
    g, d = small_pair()
    with torch.no_grad():
        fake = g(torch.linspace(-1, 1, 24).reshape(8, 3))
    loss = F.softplus(-d(torch.ones(8, 2))).mean() + F.softplus(d(fake)).mean()
    gradients = torch.autograd.grad(loss, list(d.parameters()))
    norm = torch.cat([gradient.flatten() for gradient in gradients]).norm().item()
    record = record_of(g, d, torch.optim.SGD(g.parameters(), 0.1), torch.optim.SGD(d.parameters(), 0.1))
    assert record.grad_norm_d == pytest.approx(norm, rel=1e-5)
    left = torch.cat([weight.grad.flatten() for weight in d.parameters()]).norm().item()
    assert left != pytest.approx(norm, rel=1e-2), "else nothing is shown: both losses' gradients are in it"


def test_an_update_is_told_by_each_groups_own_rate() -> None:
    """Plain gradient descent: |change| is rate x gradient, group by group."""
    g, d = small_pair()
    first, last = d[0].parameters(), d[2].parameters()
    od = torch.optim.SGD([{"params": first, "lr": 0.1}, {"params": last, "lr": 0.001}])
    record = record_of(g, d, torch.optim.SGD(g.parameters(), 0.0), od)
    moved = sum(
        (rate * norm) ** 2 for rate, norm in zip((0.1, 0.001), record.layer_grad_norms_d, strict=True)
    )
    expected = moved**0.5 / (12 * 0.1**2 + 5 * 0.001**2) ** 0.5
    assert record.discriminator_update == pytest.approx(expected, rel=1e-4)
    assert record.generator_update == 0


def test_one_optimiser_over_both_networks_is_read_for_both() -> None:
    g, d = small_pair()
    both = torch.optim.Adam([*g.parameters(), *d.parameters()], 0.01)
    record = record_of(g, d, both, both)
    assert record.grad_norm_g > 0
    assert record.grad_norm_d > 0
    assert record.layer_names_d == ("0", "2")


def test_under_float16_autocast_slopes_are_left_out_and_bfloat16_keeps_them() -> None:
    for dtype, known in ((torch.float16, False), (torch.bfloat16, True)):
        g, d = small_pair()
        og, od = torch.optim.SGD(g.parameters(), 0.1), torch.optim.SGD(d.parameters(), 0.1)
        with torch.autocast("cpu", dtype):
            record = record_of(g, d, og, od)
        assert (record.signal is not None) is known
        assert record.grad_norm_g > 0


@pytest.mark.parametrize("fused", [False, True])
def test_a_scaled_gradient_is_read_as_it_is_used(fused: bool) -> None:
    """A fused optimiser divides by the scale itself, later."""
    g, d = small_pair()
    plain = record_of(g, d, *(torch.optim.SGD(network.parameters(), 0.0) for network in (g, d)))
    og, od = (torch.optim.SGD(network.parameters(), 0.0, fused=fused) for network in (g, d))
    scaler, taps = torch.amp.GradScaler("cpu", init_scale=2.0**12), Taps(g, d, CPU, sigmoid=True)
    taps.arm()
    fake = g(torch.linspace(-1, 1, 24).reshape(8, 3))
    od.zero_grad()
    loss_d = F.softplus(-d(torch.ones(8, 2))).mean() + F.softplus(d(fake.detach())).mean()
    scaler.scale(loss_d).backward()
    scaler.step(od)
    og.zero_grad()
    scaler.scale(F.softplus(-d(fake)).mean()).backward()
    scaler.step(og)
    record = taps.record("run", 1, {})
    assert record.grad_norm_d == pytest.approx(plain.grad_norm_d, rel=1e-5)
    assert record.grad_norm_g == pytest.approx(plain.grad_norm_g, rel=1e-5)


def test_what_nobody_tells_is_none() -> None:
    g, _ = small_pair()
    taps = Taps(g, None, CPU, sigmoid=False)
    taps.arm()
    record = taps.record("run", 1, {"loss_g": 0.5, "loss_d": None})
    numbers = {
        name: getattr(record, name) for name in ("loss_g", "loss_d", "separation", "grad_norm_g", "signal")
    }
    assert numbers == {"loss_g": 0.5, "loss_d": None, "separation": None, "grad_norm_g": None, "signal": None}
    assert record.layer_names_g == ()


def test_of_a_pass_over_real_and_generated_images_the_slopes_are_nobodys() -> None:
    g, d = small_pair()
    og, od = torch.optim.SGD(g.parameters(), 0.1), torch.optim.SGD(d.parameters(), 0.1)
    taps = Taps(g, d, CPU, sigmoid=True)
    taps.arm()
    real, fake = torch.ones(8, 2), g(torch.ones(8, 3))
    logits = d(torch.cat([real, fake]))
    F.softplus(logits[:8] - logits[8:]).mean().backward()
    og.step()
    od.step()
    record = taps.record("run", 1, {"real_logits": logits[:8], "fake_logits": logits[8:]})
    assert record.signal is None
    assert record.separation is not None


def test_hooks_are_there_for_one_step_alone() -> None:
    from torch.optim.optimizer import _global_optimizer_pre_hooks

    g, d = small_pair()
    taps = Taps(g, d, CPU, sigmoid=True)
    before = len(_global_optimizer_pre_hooks), len(d._forward_hooks)
    taps.arm()
    assert (len(_global_optimizer_pre_hooks), len(d._forward_hooks)) == (before[0] + 1, before[1] + 1)
    taps.record("run", 1, {})
    assert (len(_global_optimizer_pre_hooks), len(d._forward_hooks)) == before


class DataParallel(nn.Module):
    """Wraps as torch's own does, which needs no more than its name here."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return self.module(x)


def test_wrapped_networks_are_read_by_their_own_names() -> None:
    g, d = small_pair()
    wrapped = DataParallel(d)
    assert unwrapped(wrapped) is d
    assert unwrapped(torch.compile(wrapped)) is d
    og, od = torch.optim.SGD(g.parameters(), 0.1), torch.optim.SGD(wrapped.parameters(), 0.1)
    record = record_of(DataParallel(g), wrapped, og, od)
    assert record.layer_names_d == ("0", "2")
    assert record.signal > 0


def test_very_many_logits_are_looked_at_evenly() -> None:
    values = torch.arange(10_000)
    taken = evenly(values, MOST_LOGITS)
    assert (len(taken), taken[0].item(), taken[-1].item()) == (MOST_LOGITS, 0, 9_999)
    assert evenly(values[:7], MOST_LOGITS).tolist() == list(range(7))


@pytest.mark.parametrize("by_name", [False, True])
def test_an_optimiser_with_a_closure_is_read_after_it(by_name: bool) -> None:
    g, d = small_pair()
    optimizer = torch.optim.SGD(d.parameters(), 0.1)
    for weight in d.parameters():
        weight.grad = torch.full_like(weight, 1e3)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = d(torch.ones(8, 2)).mean()
        loss.backward()
        return loss

    taps = Taps(g, d, CPU, sigmoid=False)
    taps.arm()
    loss = optimizer.step(closure=closure) if by_name else optimizer.step(closure)
    norm = torch.cat([weight.grad.flatten() for weight in d.parameters()]).norm().item()
    record = taps.record("run", 1, {"loss_d": loss})
    assert record.grad_norm_d == pytest.approx(norm, rel=1e-6)
    assert record.discriminator_update == pytest.approx(norm / 17**0.5, rel=1e-4)

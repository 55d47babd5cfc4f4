from __future__ import annotations

import math
from dataclasses import fields

import pytest
import torch
from cohorts import CPU, CPU64, make_run, some_images
from plain_loop import PlainLoop
from torch import Tensor

from stability.gan.losses import LOSSES
from stability.gan.training.cohort import Cohort
from stability.gan.training.diagnostics import (
    PROBABILITIES,
    first_bad_tensor,
    layer_norms,
    near_share,
    note_bad,
    relative_update,
    separation,
)
from stability.gan.training.optimizers import OptimizerSettings, stacked_optimizer
from stability.records import Record

INF, NAN = math.inf, math.nan


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- separation -------------------------------------------------------------------------------------


def counted(real: Tensor, fake: Tensor) -> float:
    wins = sum((r > f) + (r == f) / 2 for r in real.tolist() for f in fake.tolist())
    return wins / (len(real) * len(fake))


def test_separation_counts_pairs_and_halves_ties() -> None:
    real, fake = normal(4, 17).mul(2).round(), normal(4, 23, seed=1).mul(2).round() - 0.5
    real[3], fake[3] = real[3].round(), real[3, 0]
    fake[2] = fake[2].round()  # members 2 and 3 have ties
    found = separation(real, fake)
    assert found.tolist() == pytest.approx([counted(r, f) for r, f in zip(real, fake, strict=True)])
    assert ((real[2][:, None] == fake[2]).sum() > 10).item()


@pytest.mark.parametrize(
    ("real", "fake", "value"),
    [
        ([1.0, 2.0], [-1.0, 0.0], 1.0),
        ([-1.0, 0.0], [1.0, 2.0], 0.0),
        ([3.0, 3.0], [3.0, 3.0], 0.5),
        ([1.0, 3.0], [2.0, 2.0], 0.5),
        ([1.0, 2.0], [1.0, 0.0], 0.875),
        ([INF, 0.0], [INF, -INF], 0.625),
    ],
)
def test_separation_by_hand(real, fake, value) -> None:
    assert separation(torch.tensor([real]), torch.tensor([fake])).item() == value


@pytest.mark.parametrize("broken", ["real", "fake"])
def test_nan_logits_have_no_separation(broken) -> None:
    logits = {"real": normal(3, 5), "fake": normal(3, 6, seed=1)}
    logits[broken][1, 2] = NAN
    assert separation(logits["real"], logits["fake"]).isnan().tolist() == [False, True, False]


# --- norms, updates, shares -------------------------------------------------------------------------


def test_layer_norms_join_weight_and_bias() -> None:
    gradients = {
        "body.0.weight": normal(3, 4, 5),
        "body.0.bias": normal(3, 5, seed=1),
        "body.2.weight": normal(3, 2, 1, 4, 4, seed=2),
    }
    norms = layer_norms(gradients)
    assert list(norms) == ["body.0", "body.2"]
    for k in range(3):
        joined = torch.cat([gradients["body.0.weight"][k].flatten(), gradients["body.0.bias"][k]])
        torch.testing.assert_close(norms["body.0"][k], joined.norm())
        torch.testing.assert_close(norms["body.2"][k], gradients["body.2.weight"][k].norm())


def test_relative_update_by_hand() -> None:
    before = [torch.zeros(2, 2, 3), torch.ones(2, 2)]
    after = [torch.zeros(2, 2, 3), torch.ones(2, 2)]
    after[0][0, 0, 0], after[1][0, 1] = 3.0, 5.0  # member 0 moves by (3, 4), of 8 numbers
    after[0][1] += 0.25  # member 1 moves by .25 in 6 of 8
    found = relative_update(before, after, torch.tensor([0.1, 0.5]))
    assert found.tolist() == pytest.approx([5 / (0.1 * 8**0.5), 0.25 * 6**0.5 / (0.5 * 8**0.5)])


@pytest.mark.parametrize("scale", [1e-5, 1.0, 1e5])
def test_relative_update_is_one_for_adams_first_step_at_any_scale(scale) -> None:
    leaves = [scale * normal(2, 6, 7), scale * normal(2, 7, seed=1)]
    before = [leaf.clone() for leaf in leaves]
    settings = [OptimizerSettings(1e-3, 0.5, 0.999), OptimizerSettings(0.3, 0.0, 0.9)]
    stacked_optimizer("adam", leaves, settings).step([normal(*leaf.shape, seed=3) for leaf in leaves])
    update = relative_update(before, leaves, torch.tensor([1e-3, 0.3], dtype=torch.float64))
    torch.testing.assert_close(update, torch.ones(2).double(), rtol=1e-4, atol=0)


def test_near_share_counts_what_is_within_a_hundredth_of_an_end() -> None:
    probability = torch.tensor([[0.0, 0.009, 0.011, 0.5], [0.989, 0.991, 1.0, 0.999], [0.5, 0.2, NAN, 0.0]])
    assert near_share(probability).tolist() == pytest.approx([0.5, 0.75, NAN], nan_ok=True)


# --- what is not finite -----------------------------------------------------------------------------


def test_the_first_bad_step_and_tensor_are_kept() -> None:
    names = ("penalty", "loss_d", "loss_g")
    first_bad = torch.full((3, 4), INF)
    values = torch.zeros(3, 4)
    first_bad = note_bad(first_bad, values, 1)
    assert torch.equal(first_bad, torch.full((3, 4), INF))
    values[2, 1] = NAN
    first_bad = note_bad(first_bad, values, 2)
    values[1, 1], values[1, 2], values[2, 2] = INF, -INF, NAN
    first_bad = note_bad(first_bad, values, 3)
    first_bad = note_bad(first_bad, torch.zeros(3, 4), 4)  # finite again: what was bad stays noted
    values[0, 3] = NAN
    first_bad = note_bad(first_bad, values, 7)
    found = [first_bad_tensor(first_bad, names, k) for k in range(4)]
    assert found == [None, (2, "loss_g"), (3, "loss_d"), (7, "penalty")]


# --- a cohort's record ------------------------------------------------------------------------------


def one_step(runs: list, placement: object = CPU64) -> list[Record]:
    cohort = Cohort(runs, some_images(), placement)
    (records,) = cohort.train(1, record_every=1)
    return records


def close(value: Tensor | float) -> object:
    return pytest.approx(value.item() if isinstance(value, Tensor) else value, rel=1e-8, abs=1e-14)


def norms_by_layer(module: torch.nn.Module) -> dict[str, float]:
    squares: dict[str, float] = {}
    for name, parameter in module.named_parameters():
        layer = name.rpartition(".")[0]
        squares[layer] = squares.get(layer, 0.0) + parameter.grad.square().sum().item()
    return {layer: square**0.5 for layer, square in squares.items()}


def change(module: torch.nn.Module, before: list[Tensor], lr: float) -> float:
    parts = [(p.detach() - b).flatten() for p, b in zip(module.parameters(), before, strict=True)]
    moved = torch.cat(parts)
    return (moved.norm() / (lr * len(moved) ** 0.5)).item()


def weights_of(module: torch.nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]


@pytest.mark.parametrize("architecture", ["mlp", "dcgan"])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_record_says_what_autograd_says_of_plain_modules(architecture, loss) -> None:
    run = make_run(1, architecture=architecture, loss=loss, lr_ratio=3.0)
    record = one_step([run, make_run(2, architecture=architecture, loss=loss)])[0]
    loop = PlainLoop(run, some_images())
    before_d, before_g = weights_of(loop.d), weights_of(loop.g)

    loop.discriminator_step()  # its gradients and weights, before the generator's step touches them
    norms_d = norms_by_layer(loop.d)
    assert record.layer_names_d == tuple(norms_d)
    assert record.layer_grad_norms_d == pytest.approx(tuple(norms_d.values()), rel=1e-8)
    assert record.grad_norm_d == close(math.hypot(*norms_d.values()))
    assert record.discriminator_update == close(change(loop.d, before_d, run.config.discriminator.lr))

    fake = loop.fake.detach().requires_grad_()
    real_logits, logits = loop.d(loop.real), loop.d(fake)
    summed = loop.generator_loss(real_logits, logits) * len(logits)
    to_fake, to_logits = torch.autograd.grad(summed, [fake, logits])
    assert record.loss_g == close(summed / len(logits))
    assert record.signal == close(to_logits.abs().mean())
    assert record.fake_grad_norm == close(to_fake.flatten(1).norm(dim=1).mean())
    assert record.signal > 0.1

    loop.generator_step()
    norms_g = norms_by_layer(loop.g)
    assert record.layer_names_g == tuple(norms_g)
    assert record.layer_grad_norms_g == pytest.approx(tuple(norms_g.values()), rel=1e-8)
    assert record.grad_norm_g == close(math.hypot(*norms_g.values()))
    assert record.generator_update == close(change(loop.g, before_g, run.config.generator.lr))
    assert (record.run, record.step) == (run.run, 1)


def test_a_record_describes_the_discriminators_own_batch() -> None:
    run = make_run(1, batchnorm="both")
    record = one_step([run, make_run(2, batchnorm="both")])[0]
    loop, images = PlainLoop(run, some_images()), some_images().double() / 127.5 - 1
    config = run.config
    real = loop.d(images[loop.streams.indices(config.batch_size, 64)])
    fake = loop.d(loop.g(loop.streams.z(config.batch_size, config.latent_dim).double()))
    assert record.real_logit_mean == close(real.mean())
    assert record.fake_logit_mean == close(fake.mean())
    assert record.real_logit_std == close(real.std())
    assert record.fake_logit_std == close(fake.std())
    assert record.real_probability == close(real.sigmoid().mean())
    assert record.fake_probability == close(fake.sigmoid().mean())
    assert record.separation == close(counted(real, fake))
    assert record.loss_d == close((torch.log1p((-real).exp()) + torch.log1p(fake.exp())).mean())
    assert (record.real_saturated_share, record.fake_saturated_share) == (0, 0)
    assert record.penalty is None


def test_signal_of_a_linear_loss_is_one_whatever_the_batch_size() -> None:
    parameters = {"loss": "wasserstein", "batchnorm": "none", "lr": 1e-9}
    found = [one_step([make_run(1, batch_size=size, **parameters)])[0] for size in (8, 64)]
    assert [record.signal for record in found] == pytest.approx([1, 1])
    assert found[0].fake_grad_norm == pytest.approx(found[1].fake_grad_norm, rel=0.1)
    assert found[0].fake_grad_norm > 0


def test_probabilities_are_null_exactly_for_the_losses_without() -> None:
    records = [one_step([make_run(k, loss=loss)])[0] for k, loss in enumerate(LOSSES)]
    for record, loss in zip(records, LOSSES.values(), strict=True):
        for name in PROBABILITIES:
            assert (getattr(record, name) is None) == (not loss.sigmoid)
    rest = {field.name for field in fields(Record)} - {*PROBABILITIES, "penalty"}
    assert all(getattr(record, name) is not None for record in records for name in rest)


def test_penalty_is_recorded_where_there_is_one_and_without_its_weight() -> None:
    parameters = {"penalty": "gradient-penalty", "batchnorm": "none", "loss": "wasserstein"}
    light, heavy = one_step([make_run(1, penalty_weight=w, **parameters) for w in (0.1, 10.0)])
    assert light.penalty == heavy.penalty
    assert 0 < light.penalty <= 1  # at the start the gradient is small
    assert light.loss_d == heavy.loss_d
    assert light.grad_norm_d < heavy.grad_norm_d


def test_not_a_number_stays_not_a_number_in_the_record() -> None:
    cohort = Cohort([make_run(1), make_run(2)], some_images(), CPU)
    with torch.no_grad():
        cohort.discriminator.parameters[0][1] = NAN
    ((healthy, broken),) = cohort.train(1, record_every=1)
    numbers = [field.name for field in fields(Record) if field.type in ("float", "float | None")]
    assert len(numbers) > 15
    for name in sorted(set(numbers) - {"penalty"}):
        assert math.isnan(getattr(broken, name)), name
        assert math.isfinite(getattr(healthy, name)), name
    assert all(map(math.isnan, broken.layer_grad_norms_g))
    assert all(map(math.isfinite, healthy.layer_grad_norms_g))


def test_records_come_at_their_steps_and_change_no_training() -> None:
    runs, images = [make_run(1), make_run(2, loss="hinge")], some_images()
    often, never = Cohort(runs, images, CPU), Cohort(runs, images, CPU)
    steps = [record.step for batch in often.train(9, record_every=3) for record in batch]
    assert steps == [3, 3, 6, 6, 9, 9]
    assert list(never.train(9, record_every=100)) == []
    assert all(torch.equal(value, never.state()[name]) for name, value in often.state().items())

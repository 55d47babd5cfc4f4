"""Smoothed, noisy and traded labels by their definitions."""

from __future__ import annotations

import pytest
import torch
from cohorts import CPU64, make_run

from stability.gan.training.draws import Draws
from stability.gan.training.member_losses import MemberLosses
from stability.gan.training.targets import PLAIN, Labels, Targets

MEMBERS, BATCH = 2, 500


def draws() -> Draws:
    return Draws([make_run(k) for k in range(MEMBERS)], CPU64)


def amounts(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_where_nothing_is_asked_for_nothing_is_drawn() -> None:
    ours = draws()
    before = ours.state()
    assert Labels(ours).targets(BATCH) == PLAIN
    assert all(torch.equal(before[name], value) for name, value in ours.state().items())


def test_noise_moves_every_target_by_its_own_number_within_its_bounds() -> None:
    noisy = Labels(draws(), smoothing=amounts(0.1, 0.2), noise=amounts(0.05, 0.3)).targets(BATCH)
    assert noisy.below is not None
    assert noisy.above is not None
    for moved, smoothing in ((noisy.below, amounts(0.1, 0.2)), (noisy.above, amounts(0.0, 0.0))):
        off = moved - smoothing[:, None]
        assert (off.abs().amax(1) <= amounts(0.05, 0.3)).all()
        assert (off.abs().amax(1) > 0.95 * amounts(0.05, 0.3)).all()
        assert len(off.unique()) == MEMBERS * BATCH


def test_flips_trade_a_real_and_a_fake_example_with_their_probability() -> None:
    trades = Labels(draws(), flip=amounts(0.1, 1.0)).targets(BATCH).trades
    assert trades is not None
    assert trades[0].double().mean() == pytest.approx(0.1, abs=5 * (0.09 / BATCH) ** 0.5)
    assert trades[1].all()
    real, fake = torch.full((2, 3), 1.0), torch.full((2, 3), -1.0)
    some = Targets(trades=torch.tensor([[True, False, False], [False, True, True]]))
    taken_real, taken_fake = some.traded(real, fake)
    assert taken_real.tolist() == [[-1, 1, 1], [1, -1, -1]]
    assert torch.equal(taken_fake, -taken_real)


@pytest.mark.parametrize("loss", ["hinge", "relativistic", "wasserstein", "minimax"])
def test_with_all_labels_traded_a_discriminator_learns_the_contrary(loss: str) -> None:
    losses = MemberLosses([loss] * 2, torch.device("cpu"))
    real, fake = torch.randn(2, 2, 5, generator=torch.Generator().manual_seed(1)).double()
    everything = Targets(trades=torch.ones(2, 5, dtype=torch.bool))
    found = losses.discriminators(real, fake, everything)
    assert torch.equal(found, losses.discriminators(fake, real))


def test_what_fades_is_what_there_is() -> None:
    labels = Labels(draws(), smoothing=amounts(0.2, 0.1)).faded(amounts(0.1, 0.0), amounts(0.3, 0.3))
    assert labels.smoothing is not None
    assert labels.smoothing.tolist() == [0.1, 0]
    assert labels.smoothing_fake is None

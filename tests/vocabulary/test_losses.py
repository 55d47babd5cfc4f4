from __future__ import annotations

import pytest
import torch

from stability.gan.losses import LOSSES as FORMULAS
from stability.vocabulary.losses import LOSSES

LEVELS = torch.linspace(-3, 3, 6001, dtype=torch.float64)


@pytest.mark.parametrize("name", LOSSES)
def test_equilibria_are_where_the_discriminator_s_loss_is_lowest_among_equal_logits(name: str) -> None:
    """Where real and fake have the same distribution, D gives both the same logit."""
    loss, stated = FORMULAS[name], LOSSES[name].equilibrium
    values = loss.discriminator(LEVELS, LEVELS)
    lowest = values.min()
    assert float(lowest) == pytest.approx(stated.loss_d, abs=1e-7)
    best = LEVELS[values <= lowest + 1e-12]
    is_bounded = bool(best[0] > LEVELS[0] and best[-1] < LEVELS[-1])
    at_best = loss.generator(best, best)
    if stated.loss_g is None:
        assert not is_bounded  # any level is as good, and the generator's loss moves with it
        assert float(at_best.max() - at_best.min()) > 1
    else:
        middle = (best[0] + best[-1]).reshape(1) / 2
        assert float(loss.generator(middle, middle)) == pytest.approx(stated.loss_g, abs=1e-6)
    if stated.probability is not None:
        assert loss.sigmoid
        assert float(torch.sigmoid(best).mean()) == pytest.approx(stated.probability, abs=1e-6)

"""Old fakes that are shown again."""

from __future__ import annotations

import torch
from cohorts import CPU64, make_run
from torch import Tensor

from stability.gan.training.draws import Draws
from stability.gan.training.replay import Replay

ROWS, BATCHES = 16, 3


def replay_of(*shares: float) -> Replay:
    runs = [make_run(k, replay=share, replay_batches=BATCHES) for k, share in enumerate(shares)]
    images = torch.zeros(4, 1, 1, 1, dtype=torch.uint8)
    return Replay(runs[0].config, images, torch.tensor(shares, dtype=torch.float64), Draws(runs, CPU64))


def fakes(number: int, members: int = 1) -> Tensor:
    """A batch whose examples all have a number of their own."""
    rows = torch.arange(ROWS, dtype=torch.float64) + 100 * number
    return rows.reshape(1, ROWS, 1, 1, 1).expand(members, -1, -1, -1, -1).clone()


def test_nothing_is_replayed_while_the_store_is_filled() -> None:
    store = replay_of(0.9)
    for number in range(BATCHES):
        assert torch.equal(store.exchange(fakes(number)), fakes(number))


def test_every_fake_is_shown_or_kept_and_none_is_lost() -> None:
    store = replay_of(0.6)
    seen = [store.exchange(fakes(number)) for number in range(30)]
    there = torch.cat([*(part.flatten() for part in seen), store.state()["kept"].flatten()])
    made = torch.cat([fakes(number).flatten() for number in range(30)])
    # The first batches are shown and kept; of the others each fake is in one place.
    first = torch.cat([fakes(number).flatten() for number in range(BATCHES)])
    assert torch.equal(there.sort().values, torch.cat([made, first]).sort().values)


def test_as_many_are_old_as_asked_for() -> None:
    store = replay_of(0.25, 0.75)
    old = torch.zeros(2)
    for number in range(100):
        shown = store.exchange(fakes(number, members=2)).flatten(1)
        if number >= BATCHES:
            old += (shown != fakes(number).flatten(1)).float().mean(1)
    shares = old / (100 - BATCHES)
    assert (shares - torch.tensor([0.25, 0.75])).abs().max() < 5 * (0.25 / (97 * ROWS)) ** 0.5


def test_going_on_from_a_state_is_exact() -> None:
    straight, first, second = (replay_of(0.5) for _ in range(3))
    for number in range(5):
        straight.exchange(fakes(number))
        first.exchange(fakes(number))
    second._draws.load_state(first._draws.state())
    second.load_state(first.state())
    for number in range(5, 10):
        assert torch.equal(straight.exchange(fakes(number)), second.exchange(fakes(number)))

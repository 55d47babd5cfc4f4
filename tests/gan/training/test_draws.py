"""What a cohort draws, ahead or not, is what its members' streams would give at its time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import pytest
import torch
from cohorts import CPU, make_run
from torch import Tensor

from stability.gan.training.draws import Draws, drawing_ahead
from stability.gan.training.stock import STEPS

Asked = Callable[[Draws], Any]
MASKS = {"first": (5,), "second": (1, 4, 4)}
REQUESTS: dict[str, Asked] = {
    "indices": lambda draws: draws.indices(32, 60_000),
    "fewer indices": lambda draws: draws.indices(16, 60_000),
    "z": lambda draws: draws.z(8),
    "z in half a block": lambda draws: draws.z(3),
    "penalty": lambda draws: draws.uniform((16, 1)),
    "no penalty": lambda draws: draws.uniform(()),
    "noise": lambda draws: draws.noise((16, 1, 5, 5)),
    "label noise": lambda draws: draws.label_noise(16),
    "label flips": lambda draws: draws.label_flips(16),
    "replays": lambda draws: torch.stack([part.double() for part in draws.replays(16, 8)]),
    "masks": lambda draws: torch.cat([mask.flatten() for mask in draws.masks(MASKS, 16).values()]),
    "generator's masks": lambda draws: draws.generator_masks({"one": (6,)}, 8)["one"],
}
LATENTS = ("normal", "uniform", "sphere")


class Plain(Draws):
    """Takes everything at its time, straight from the streams."""

    def _next(self, purpose: Any, shape: Any, draw: Any, *kind: object) -> Tensor:
        drawn = [draw(own, config, 1) for own, config in zip(self._streams, self._configs, strict=True)]
        return torch.stack([numbers.reshape(tuple(shape)) for numbers in drawn])


@pytest.fixture(params=["on the spot", "in a thread"])
def ahead(request: pytest.FixtureRequest) -> Iterator[Executor | None]:
    if request.param == "on the spot":
        yield None
        return
    with ThreadPoolExecutor(1) as executor:
        yield executor


def members(latent: Any = "normal") -> list:
    return [
        make_run(seed, latent=latent, **own) for seed, own in ((3, {}), (4, {"train_size": 100}), (5, {}))
    ]


@pytest.mark.parametrize("latent", LATENTS)
@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_that_repeats_gets_the_streams_numbers(
    name: str, latent: str, ahead: Executor | None
) -> None:
    ask, runs = REQUESTS[name], members(latent)
    stocked, plain = Draws(runs, CPU, ahead), Plain(runs, CPU)
    for _ in range(2 * STEPS + 3):
        assert torch.equal(ask(stocked), ask(plain))


@pytest.mark.parametrize("seed", range(4))
def test_requests_in_any_order_stopped_anywhere_get_the_streams_numbers(
    seed: int, ahead: Executor | None
) -> None:
    stocked, plain = Draws(members(), CPU, ahead), Plain(members(), CPU)
    choose = random.Random(seed)
    for _ in range(120):
        ask = REQUESTS[choose.choice(list(REQUESTS))]
        for _ in range(choose.choice((1, 1, 2, 5, 20))):
            assert torch.equal(ask(stocked), ask(plain))
        if choose.random() < 0.2:
            state = stocked.state()
            for purpose, place in plain.state().items():
                assert torch.equal(state[purpose], place), purpose
            if choose.random() < 0.5:
                stocked = Draws([make_run(99)] * 3, CPU, ahead)
                stocked._configs = plain._configs
                stocked.load_state(state)


def test_what_was_saved_does_not_move(ahead: Executor | None) -> None:
    draws = Draws(members(), CPU, ahead)
    for _ in range(5):
        draws.z(8)
    state = draws.state()
    kept = {purpose: place.clone() for purpose, place in state.items()}
    following = [draws.z(8) for _ in range(3)]
    assert all(torch.equal(state[purpose], place) for purpose, place in kept.items())
    draws.load_state(state)
    assert all(torch.equal(draws.z(8), numbers) for numbers in following)


def test_a_processor_draws_for_itself() -> None:
    assert drawing_ahead(torch.device("cpu")) is None
    executor = drawing_ahead(torch.device("cuda"))
    assert executor is not None
    executor.shutdown()

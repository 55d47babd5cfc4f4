"""What is drawn ahead is what would have been drawn at its time."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import pytest
import torch
from cohorts import CPU, make_run
from torch import Tensor

from stability.gan.training.draws import Draws, drawing_ahead
from stability.gan.training.stock import NUMBERS, STEPS, Request, Stock
from stability.gan.training.streams import Streams

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


def asked_times(numbers: int, asks: int) -> list[int]:
    """How many requests' numbers were drawn at a time."""
    times: list[int] = []

    def draw(_: int, count: int) -> Tensor:
        times.append(count)
        return torch.zeros(count, numbers)

    stock = Stock("z", [Streams(1)], CPU, None)
    for _ in range(asks):
        stock.take(Request("same", numbers, draw))
    return times


def test_more_is_drawn_at_a_time_while_requests_repeat() -> None:
    assert asked_times(16, 100) == [1, 2, 4, 8, *[STEPS] * 6]
    assert asked_times(17, 5) == [1] * 5
    assert asked_times(NUMBERS // 4, 9) == [1, 2, 4, 4]
    assert asked_times(2 * NUMBERS, 3) == [1] * 3


def test_the_thread_draws_while_nobody_asks() -> None:
    drew: list[str] = []
    once_more = threading.Event()

    def draw(_: int, times: int) -> Tensor:
        drew.append(threading.current_thread().name)
        if len(drew) == 3:
            once_more.set()
        return torch.zeros(times, 16)

    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as executor:
        stock = Stock("z", [Streams(1)], CPU, executor)
        for _ in range(2):
            stock.take(Request("same", 16, draw))
        assert once_more.wait(60)
    assert [name.startswith("ahead") for name in drew] == [False, False, True]


def test_a_failure_in_the_thread_is_told() -> None:
    def draw(_: int, times: int) -> Tensor:
        if threading.current_thread() is not threading.main_thread():
            raise MemoryError("no room for numbers")
        return torch.zeros(times, 16)

    with ThreadPoolExecutor(1) as executor:
        stock = Stock("z", [Streams(1)], CPU, executor)
        for _ in range(3):
            stock.take(Request("same", 16, draw))
        with pytest.raises(MemoryError, match="no room for numbers"):
            stock.take(Request("same", 16, draw))


def test_a_processor_draws_for_itself() -> None:
    assert drawing_ahead(torch.device("cpu")) is None
    executor = drawing_ahead(torch.device("cuda"))
    assert executor is not None
    executor.shutdown()

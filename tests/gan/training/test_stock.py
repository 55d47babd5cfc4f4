"""How much is drawn at a time, and where."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from cohorts import CPU
from torch import Tensor

from stability.gan.training.stock import NUMBERS, STEPS, Request, Stock
from stability.gan.training.streams import Streams


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

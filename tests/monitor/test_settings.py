from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stability.monitor.settings import MOST_TEXTS, config_of, plain_settings, seed_of, space_of
from stability.spec import Choice, Range


def test_settings_become_plain_values_by_names_that_a_frame_can_have() -> None:
    config = {
        "lr_d": np.float32(0.5),
        "batch": torch.tensor(64),
        "augment": True,
        "net": {"depth": 3, "norm": None},
        "place": Path("a/b"),
        "precision": "fp16",
        "seed": 7,
        "bad": float("inf"),
    }
    assert plain_settings(config) == {
        "lr_d": 0.5,
        "batch": 64,
        "augment": True,
        "net.depth": 3,
        "net.norm": None,
        "place": "a/b",
        "config.precision": "fp16",
        "bad": "inf",
    }


@pytest.mark.parametrize(("seed", "found"), [(3, 3), (np.int64(4), 4), (-1, None), ("x", None), (True, None)])
def test_a_seed_is_a_whole_number(seed: Any, found: int | None) -> None:
    assert seed_of({"seed": seed}) == found
    assert seed_of({}) is None


def test_what_differed_is_a_range_or_a_list_and_the_rest_is_fixed() -> None:
    levels = [
        {"lr": 1e-4, "net": "a", "n": 1, "on": 1, "same": 5, "note": "x0"},
        {"lr": 1e-2, "net": "b", "n": 3, "on": True, "same": 5, "note": "x1"},
        {"lr": 1e-3, "net": "a", "n": 2, "same": 5, "note": "x2"},
    ]
    space, fixed = space_of(levels)
    assert space["lr"] == Range(low=1e-4, high=1e-2, log=True)
    assert space["n"] == Range(low=1, high=3, integer=True)
    assert space["net"] == Choice(values=("a", "b"))
    assert space["on"] == Choice(values=(1, True, None))
    assert fixed == {"same": 5}
    assert "note" not in space_of([{"note": f"x{k}"} for k in range(MOST_TEXTS + 1)])[0]


def test_a_config_takes_what_is_a_parameter_with_a_value_that_it_may_have() -> None:
    config = config_of({"loss": "hinge", "lr_d": 4e-4, "optimizer": "lion", "batch_size": 3.5, "own": 1})
    assert (config.loss, config.lr_d, config.optimizer, config.batch_size) == ("hinge", 4e-4, "adam", 64)

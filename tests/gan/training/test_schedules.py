"""Learning rates and what fades, at chosen steps and against torch's own schedulers."""

from __future__ import annotations

from typing import get_args

import pytest
import torch

from stability.errors import StabilityError
from stability.gan.training.schedules import SCHEDULES, fading, learning_rate
from stability.spec.config import Config, Schedule

SCHEDULERS = torch.optim.lr_scheduler


def rates(steps: int, **parameters: object) -> list[float]:
    config = Config.model_validate({"lr": 1.0} | parameters)
    return [learning_rate(config, config.generator, step) for step in range(steps)]


def test_the_study_file_accepts_exactly_the_schedules_there_are() -> None:
    assert set(get_args(Schedule)) == set(SCHEDULES)


def test_at_chosen_steps() -> None:
    assert rates(3) == [1, 1, 1]
    assert rates(5, lr_schedule="linear", decay_steps=4) == [1, 0.75, 0.5, 0.25, 0]
    assert rates(5, lr_schedule="step", decay_steps=2, lr_decay=0.5) == [1, 1, 0.5, 0.5, 0.25]
    assert rates(3, lr_schedule="cosine", decay_steps=2) == pytest.approx([1, 0.5, 0])
    assert rates(4, warmup_steps=2) == [0.5, 1, 1, 1]
    assert rates(3, warmup_steps=2, lr_schedule="linear", decay_steps=4) == [0.5, 0.75, 0.5]
    assert rates(9, lr_schedule="cosine", decay_steps=3)[3:] == pytest.approx([0] * 6)


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("linear", lambda opt: SCHEDULERS.LinearLR(opt, 1.0, 0.0, total_iters=30)),
        ("cosine", lambda opt: SCHEDULERS.CosineAnnealingLR(opt, T_max=30)),
        ("step", lambda opt: SCHEDULERS.StepLR(opt, step_size=30, gamma=0.1)),
    ],
)
def test_as_torchs_own(kind, make) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler, found = make(optimizer), []
    for _ in range(31):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates(31, lr_schedule=kind, decay_steps=30) == pytest.approx(found, abs=1e-12)


def test_either_network_has_its_own() -> None:
    config = Config(lr=1.0, lr_schedule="linear", lr_schedule_d="constant", decay_steps=2)
    assert learning_rate(config, config.generator, 1) == 0.5
    assert learning_rate(config, config.discriminator, 1) == 1


def test_a_schedule_without_a_length_is_told_of() -> None:
    with pytest.raises(StabilityError, match=r"^lr_schedule: linear needs decay_steps$"):
        rates(1, lr_schedule="linear")


def test_fading() -> None:
    assert [fading(0.2, None, step) for step in (0, 9)] == [0.2, 0.2]
    assert [fading(0.2, 4, step) for step in (0, 1, 4, 9)] == pytest.approx([0.2, 0.15, 0, 0])

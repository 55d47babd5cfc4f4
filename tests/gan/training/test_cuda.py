"""What only a CUDA device can show: `pytest -m cuda`."""

from __future__ import annotations

import pytest
import torch
from cohorts import CPU64, make_run, some_images, train

from stability.gan.losses import LOSSES
from stability.gan.training.cohort import Cohort
from stability.gan.training.placement import Placement

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, this machine has none"),
]


def every_loss(**common: object) -> list:
    return [make_run(k, loss=loss, lr_ratio=0.5 + k, **common) for k, loss in enumerate(LOSSES)]


@pytest.mark.parametrize("architecture", ["mlp", "dcgan"])
@pytest.mark.parametrize(
    "extra", [{"batchnorm": "both"}, {"batchnorm": "none", "penalty": "gradient-penalty"}]
)
def test_cuda_equals_the_cpu_in_float64(architecture, extra):
    runs, images = every_loss(architecture=architecture, **extra), some_images()
    cuda = Placement(torch.device("cuda"), torch.float64)
    here = train(Cohort(runs, images, CPU64), 50)
    there = train(Cohort(runs, images.cuda(), cuda), 50)
    for name, value in here.items():
        if name.startswith(("generator/", "discriminator/")):
            scale = value.abs().max().clamp_min(1e-12)
            assert float((there[name].cpu() - value).abs().max() / scale) < 1e-7, name


@pytest.mark.parametrize("architecture", ["mlp", "dcgan"])
def test_a_step_never_waits_for_the_device(architecture):
    cohort = Cohort(
        every_loss(architecture=architecture), some_images().cuda(), Placement(torch.device("cuda"))
    )
    train(cohort, 2)
    torch.cuda.set_sync_debug_mode("error")
    try:
        train(cohort, 5)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_stopping_and_going_on_is_bit_exact_on_cuda():
    runs, images = every_loss(), some_images().cuda()
    place = Placement(torch.device("cuda"))
    first = Cohort(runs, images, place)
    halfway = train(first, 5)
    resumed = Cohort(runs, images, place)
    resumed.load_state(halfway)
    straight = train(first, 9)
    for name, value in train(resumed, 9).items():
        assert torch.equal(value, straight[name]), name

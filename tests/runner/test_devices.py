from __future__ import annotations

import json

import pytest
import torch
from small_studies import CPU, mnist_describer, small_mnist

from stability.errors import StabilityError
from stability.runner.devices import LIBRARIES, choose_device, describe_environment, prepare


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_there_is_the_cpu() -> None:
    assert choose_device("auto") == choose_device("cpu") == CPU


@pytest.mark.usefixtures("two_gpus")
def test_auto_takes_a_gpu() -> None:
    assert choose_device("auto") == torch.device("cuda")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    assert choose_device("cpu") == CPU
    with pytest.raises(StabilityError, match="--device cuda:2: this machine has 2 CUDA devices"):
        choose_device("cuda:2")


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "gpu", "", "cpu:", "cpu:7", "CPU", "cuda:x", ":"])
def test_a_device_that_is_not_there_is_told_with_those_that_are(name: str) -> None:
    with pytest.raises(StabilityError) as caught:
        choose_device(name)
    assert str(caught.value) == f"--device {name}: not on this machine; it has: cpu"


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("name", ["cuda:", "cuda:-1", "cuda:\u0663", "cuda:1 ", "mps"])
def test_odd_names_are_refused_where_there_are_gpus_too(name: str) -> None:
    with pytest.raises(StabilityError, match="not on this machine; it has: cuda, cpu"):
        choose_device(name)


def test_threads_are_what_was_asked_for() -> None:
    before = torch.get_num_threads()
    prepare(2)
    try:
        assert torch.get_num_threads() == 2
    finally:
        prepare(before)


def test_the_environment_names_what_numbers_depend_on() -> None:
    environment = describe_environment(CPU, small_mnist(), mnist_describer())
    assert environment == json.loads(json.dumps(environment))
    assert set(environment["libraries"]) == set(LIBRARIES)
    assert environment["libraries"]["torch"] == torch.__version__.partition("+")[0]
    assert environment["device"] == "cpu"
    assert environment["threads"] == torch.get_num_threads()
    assert environment["dataset"] == {"name": "mnist", "sha256": small_mnist().sha256}
    assert environment["classifier"]["name"] == "mnist_cnn"
    assert len(environment["classifier"]["sha256"]) == 64

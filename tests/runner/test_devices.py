from __future__ import annotations

import json
import os
from typing import Any

import pytest
import torch
from small_studies import CPU, mnist_describer, small_mnist

from stability.errors import StabilityError
from stability.runner import devices
from stability.runner.devices import (
    LIBRARIES,
    choose_device,
    describe_environment,
    environment_changes,
    prepare,
)


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


def described() -> dict[str, Any]:
    return json.loads(json.dumps(describe_environment(CPU, small_mnist(), mnist_describer())))


def test_equal_environments_have_no_change() -> None:
    assert environment_changes(described(), described()) == {}


def test_how_torch_rounds_is_part_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = described()
    torch.set_flush_denormal(True)
    torch.use_deterministic_algorithms(True)
    try:
        monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
        changes = environment_changes(before, described())
    finally:
        torch.set_flush_denormal(False)
        torch.use_deterministic_algorithms(False)
    assert changes == {
        "arithmetic.denormals": {"was": True, "is": False},
        "arithmetic.deterministic_algorithms": {"was": False, "is": True},
        "arithmetic.cudnn_benchmark": {"was": False, "is": True},
    }


def test_variables_that_choose_code_are_part_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS"):
        monkeypatch.delenv(name, raising=False)
    before = described()
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    monkeypatch.setenv("MKL_ENABLE_INSTRUCTIONS", "AVX2")
    monkeypatch.setenv("MKL_NUM_THREADS", "5")  # torch's own number wins
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    now = described()
    assert environment_changes(before, now) == {
        "mkl_cbwr": {"was": "AUTO,STRICT", "is": "COMPATIBLE"},
        "variables.ATEN_CPU_CAPABILITY": {"was": None, "is": "default"},
        "variables.MKL_ENABLE_INSTRUCTIONS": {"was": None, "is": "AVX2"},
    }
    assert environment_changes(now, before)["variables.ATEN_CPU_CAPABILITY"] == {"was": "default", "is": None}


def test_a_library_is_named_by_itself_and_what_was_not_written_down_is_not_compared() -> None:
    then, now = described(), described()
    then["libraries"]["torch"] = "1.0"
    del then["arithmetic"], then["processor_name"]
    changes = environment_changes(then | {"fid_floors": {}, "resumed": []}, now)
    assert changes == {"libraries.torch": {"was": "1.0", "is": now["libraries"]["torch"]}}


def test_of_before_there_was_a_choice_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    then = described()
    del then["products"]
    monkeypatch.setattr(devices, "LIBRARY", "matmul")
    assert environment_changes(then, described()) == {"products": {"was": "onednn", "is": "matmul"}}
    monkeypatch.setattr(devices, "LIBRARY", "onednn")
    assert environment_changes(then, described()) == {}
    assert environment_changes({}, described()) == {}


def test_the_cores_are_counted() -> None:
    assert described()["cores"] == os.cpu_count()

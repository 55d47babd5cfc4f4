from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from stability.errors import StabilityError
from stability.gan.metrics.own import check_metric, find_metrics, measured

OWN = """\
import torch

def gap(images, real):
    return images.mean() - real.mean()

def whole(images, real):
    return len(images)

def several(images, real):
    return images.mean((1, 2, 3))

def nothing(images, real):
    pass

def late(images, real):
    raise ValueError("out of\\nluck")

def rude(images, real):
    return real.mul_(0).sum()

def lucky(images, real):
    return torch.rand(1)

number = 3
"""
REAL = torch.linspace(-1, 1, 20 * 4).reshape(20, 1, 2, 2)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    monkeypatch.chdir(tmp_path)
    name = f"own_{abs(hash(request.node.nodeid))}"
    (tmp_path / f"{name}.py").write_text(OWN)
    return name


def test_numbers_stand_in_columns_by_the_functions_names(module: str) -> None:
    found = find_metrics([f"{module}:gap", f"{module}:whole"])
    assert measured(found, REAL + 0.5, REAL) == pytest.approx({"own_gap": 0.5, "own_whole": 20})
    assert measured({}, REAL, REAL) == {}
    for name in ("gap", "whole"):
        check_metric(f"{module}:{name}", REAL)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("several", "gives a Tensor, not one number"),
        ("nothing", "gives a NoneType, not one number"),
        ("late", "ValueError: out of"),
        ("rude", "changes the images that it is given"),
        ("lucky", "draws from torch's global stream"),
        ("number", "is a int, not a function of (images, real)"),
        ("missing", "has no missing"),
    ],
)
def test_a_wrong_one_is_told_in_one_line(module: str, name: str, words: str) -> None:
    before = REAL.clone()
    with pytest.raises(StabilityError) as told:
        check_metric(f"{module}:{name}", REAL)
    assert f"{module}:{name}: " in str(told.value)
    assert words in str(told.value)
    assert "\n" not in str(told.value)
    assert torch.equal(REAL, before)


def test_nothing_that_a_metric_says_is_masked() -> None:
    assert math.isinf(measured({"far": lambda images, real: math.inf}, REAL, REAL)["own_far"])

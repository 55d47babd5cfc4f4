from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from stability.cli import selftest
from stability.cli.selftest import CHECKS, LOSS_VALUES, Check, as_text, run_checks
from stability.gan import adam
from stability.gan.losses import LOSSES, Loss

CPU = torch.device("cpu")
Command = Any


def test_this_installation_passes(stability: Command) -> None:
    answer = stability("selftest", "--device", "cpu", "--json")
    rows = json.loads(answer.out)
    assert answer.code == 0
    assert [row["passed"] for row in rows] == [True] * len(CHECKS)
    assert len({row["name"] for row in rows}) == len(CHECKS)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_passes() -> None:
    assert [check for check in run_checks(torch.device("cuda")) if not check.passed] == []


def test_every_loss_has_a_known_value() -> None:
    assert list(LOSS_VALUES) == list(LOSSES)


def constant_generator(patch: pytest.MonkeyPatch) -> None:
    hinge = LOSSES["hinge"]
    patch.setitem(LOSSES, "hinge", Loss(hinge.discriminator, lambda r, f: f.detach() * 0 + 1, sigmoid=False))


def swapped_loss(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(LOSSES, "minimax", LOSSES["non-saturating"])


def large_epsilon(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(adam, "EPS", 1e-3)


def fid_of_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(selftest, "fid", lambda *_: 0.0)


def no_fid(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(selftest, "fid", lambda *_: float("nan"))


def poor_classifier(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(selftest, "measure_accuracy", lambda *_: 0.99)


def one_random_stream(patch: pytest.MonkeyPatch) -> None:
    """Noise from the global generator, as if the runs had none of their own."""
    patch.setattr("stability.gan.streams.Streams.z", lambda self, batch, latent: torch.randn(batch, latent))


@pytest.mark.parametrize(
    ("plant", "failed"),
    [
        (constant_generator, {"losses = their formulas", "every loss x architecture trains"}),
        (swapped_loss, {"losses = their formulas"}),
        (large_epsilon, {"stacked Adams = torch.optim.Adam, 30 steps"}),
        (fid_of_nothing, {"FID between Gaussians of known moments"}),
        (no_fid, {"FID between Gaussians of known moments"}),
        (poor_classifier, {"mnist classifier's test accuracy"}),
        (one_random_stream, {"the same cohort twice", "a cohort's member = the run alone, 20 steps"}),
    ],
)
def test_a_planted_error_is_found(
    stability: Command, monkeypatch: pytest.MonkeyPatch, plant: Any, failed: set[str]
) -> None:
    plant(monkeypatch)
    answer = stability("selftest", "--device", "cpu")
    assert answer.code == 1
    lines = [line for line in answer.out.splitlines() if line.startswith("FAIL")]
    assert all(any(name in line for line in lines) for name in failed)
    assert f"{len(CHECKS)} checks, {len(lines)} failed" in answer.out


@pytest.mark.parametrize("error", [RuntimeError, TypeError, AssertionError, NotImplementedError])
def test_a_check_that_breaks_has_failed(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def broken(device: torch.device) -> Check:
        """What is broken."""
        raise error("no such kernel\nin two lines")

    def sound(device: torch.device) -> Check:
        return Check("sound", "1", "1", passed=True)

    monkeypatch.setattr(selftest, "CHECKS", (broken, sound))
    first, second = run_checks(CPU)
    assert first == Check(
        "What is broken", "an answer", f"{error.__name__}: no such kernel in two lines", False
    )
    assert second.passed
    assert as_text([first, second]).splitlines()[-1] == "2 checks, 1 failed"

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import get_args

import pytest
import torch
from torch import Tensor

from stability.gan.training.streams import (
    LATENTS,
    PURPOSES,
    Purpose,
    Streams,
    evaluation_noise,
    picture_noise,
    stream,
)
from stability.spec.config import Latent

DRAWS: dict[str, Callable[[Streams], Tensor]] = {
    "data": lambda streams: streams.indices(32, 60_000),
    "z": lambda streams: streams.z(8, 10),
    "penalty": lambda streams: streams.uniform((16,)),
    "dropout": lambda streams: streams.mask((16, 20), 0.5),
    "instance-noise": lambda streams: streams.noise((4, 1, 5, 5)),
    "dropout-generator": lambda streams: streams.mask((16, 20), 0.5, "dropout-generator"),
    "label-noise": lambda streams: streams.uniform((2, 16), "label-noise"),
    "label-flip": lambda streams: streams.uniform((16,), "label-flip"),
    "replay": lambda streams: streams.indices(32, 16, "replay"),
}


def test_every_purpose_has_its_place() -> None:
    assert set(get_args(Purpose)) == set(PURPOSES)
    assert tuple(DRAWS) == Streams.LIVE


@pytest.mark.parametrize("purpose", DRAWS)
def test_one_purposes_draws_do_not_shift_anothers(purpose) -> None:
    quiet, busy = Streams(7), Streams(7)
    for other in set(DRAWS) - {purpose}:
        for _ in range(3):
            DRAWS[other](busy)
    for _ in range(2):
        assert torch.equal(DRAWS[purpose](quiet), DRAWS[purpose](busy))


@pytest.mark.parametrize("purpose", DRAWS)
def test_a_seed_fixes_the_draws_and_another_changes_them(purpose) -> None:
    first, again, other = Streams(7), Streams(7), Streams(8)
    drawn = DRAWS[purpose](first)
    assert torch.equal(drawn, DRAWS[purpose](again))
    assert not torch.equal(drawn, DRAWS[purpose](other))
    assert not torch.equal(drawn, DRAWS[purpose](first))  # the next draw is another


def test_no_two_streams_of_neighbouring_seeds_are_alike() -> None:
    heads = [
        tuple(torch.randint(2**62, (2,), generator=stream(seed, purpose)).tolist())
        for seed, purpose in itertools.product(range(200), PURPOSES)
    ]
    assert len(set(heads)) == 200 * len(PURPOSES)


def test_the_global_state_is_neither_read_nor_moved() -> None:
    before = torch.get_rng_state()
    drawn = [draw(Streams(7)) for draw in DRAWS.values()]
    noise = evaluation_noise(7, 4, 3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    try:
        assert all(
            torch.equal(one, draw(Streams(7))) for one, draw in zip(drawn, DRAWS.values(), strict=True)
        )
        assert torch.equal(noise, evaluation_noise(7, 4, 3))
    finally:
        torch.set_rng_state(before)


def test_going_on_from_a_state() -> None:
    streams = Streams(7)
    for draw in DRAWS.values():
        draw(streams)
    state = streams.state()
    ahead = {purpose: draw(streams) for purpose, draw in DRAWS.items()}
    resumed = Streams(99)
    resumed.load_state(state)
    for purpose, draw in DRAWS.items():
        assert torch.equal(draw(resumed), ahead[purpose])
    again = Streams(5)
    again.load_state(state)  # what was drawn since has not moved the saved state
    assert torch.equal(again.z(8, 10), ahead["z"])


def test_z_is_standard_normal() -> None:
    z = Streams(1).z(1000, 100)
    assert z.shape == (1000, 100)
    assert z.mean().abs() < 5 / 1e5**0.5
    assert (z.std() - 1).abs() < 5 / 2e5**0.5
    assert (z.abs() < 1).float().mean() == pytest.approx(0.6827, abs=0.01)


def test_the_penaltys_numbers_are_uniform() -> None:
    mix = Streams(1).uniform((50_000,))
    assert mix.min() >= 0
    assert mix.max() < 1
    assert mix.mean() == pytest.approx(0.5, abs=5 * (1 / 12 / 50_000) ** 0.5)
    assert mix.var() == pytest.approx(1 / 12, abs=0.002)


def test_uniform_latent_points_fill_the_cube() -> None:
    for z in (Streams(1).z(1000, 50, "uniform"), evaluation_noise(3, 1000, 50, "uniform")):
        assert z.min() == pytest.approx(-1, abs=0.001)
        assert z.max() == pytest.approx(1, abs=0.001)
        assert z.max() < 1
        assert z.mean() == pytest.approx(0, abs=5 * (1 / 3 / 50_000) ** 0.5)
        assert z.var() == pytest.approx(1 / 3, abs=0.01)
    assert picture_noise(64, 10, "uniform").abs().max() <= 1


def test_spherical_latent_points_have_one_length() -> None:
    z = Streams(1).z(2000, 50, "sphere")
    torch.testing.assert_close(z.norm(dim=1), torch.full((2000,), 50**0.5))
    assert z.mean(0).abs().max() < 5 / 2000**0.5


def test_the_study_file_accepts_exactly_the_latents_there_are() -> None:
    assert set(get_args(Latent)) == set(LATENTS)


@pytest.mark.parametrize("dropout", [0.1, 0.5, 0.9])
def test_masks_keep_the_mean(dropout) -> None:
    mask = Streams(1).mask((400, 250), dropout)
    assert mask.shape == (400, 250)
    kept = torch.tensor(1 / (1 - dropout), dtype=mask.dtype)
    assert set(mask.unique().tolist()) == {0.0, kept.item()}
    n = mask.numel()
    assert mask.mean() == pytest.approx(1, abs=5 * (dropout / (1 - dropout) / n) ** 0.5)
    assert (mask == 0).float().mean() == pytest.approx(dropout, abs=5 * (dropout * (1 - dropout) / n) ** 0.5)


@pytest.mark.parametrize("latent_dim", [1, 3, 10, 100])
def test_the_first_rows_of_evaluation_noise_do_not_depend_on_their_number(latent_dim) -> None:
    most = evaluation_noise(3, 500, latent_dim)
    assert most.shape == (500, latent_dim)
    for n in (1, 15, 16, 50, 64, 65, 333):
        assert torch.equal(evaluation_noise(3, n, latent_dim), most[:n])
    assert len(most.unique()) > 0.99 * most.numel()


def test_pictures_share_their_noise_and_evaluations_do_not() -> None:
    assert torch.equal(picture_noise(64, 10), picture_noise(64, 10))
    assert torch.equal(picture_noise(64, 10)[:16], picture_noise(128, 10)[:16])
    assert torch.equal(evaluation_noise(3, 64, 10), evaluation_noise(3, 64, 10))
    assert not torch.equal(evaluation_noise(3, 64, 10), evaluation_noise(4, 64, 10))
    assert not torch.equal(evaluation_noise(3, 64, 10), Streams(3).z(64, 10))

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stability.errors import StabilityError
from stability.gan.networks import ImageShape, find_pair, initial_weights
from stability.gan.training import latent as module
from stability.gan.training.latent import GRIDS, SHARE, interpolation, latent_view, manifold_grid, view_kinds
from stability.gan.training.streams import picture_noise
from stability.spec.config import Config, Latent
from stability.store import ViewKind

SHAPE = ImageShape(1, 28)


def weights_of(
    config: Config, image: ImageShape = SHAPE, *, average: bool = False
) -> dict[str, NDArray[Any]]:
    """Weights as they are at the start, by network and parameter name."""
    pair = find_pair(config.architecture)
    parts = {"generator": pair.generator(config, image), "discriminator": pair.discriminator(config, image)}
    if average:
        parts["average"] = parts["generator"]
    return {
        f"{part}.{name}": 4 * weight.numpy()  # strong enough for images to differ
        for place, (part, template) in enumerate(parts.items())
        for name, weight in initial_weights(template, generator=torch.Generator().manual_seed(place)).items()
    }


def config_of(**changes: Any) -> Config:
    return Config(**{"architecture": "mlp", "width": 8, "latent_dim": 3, "batch_size": 16, **changes})


# --- where the points lie ---------------------------------------------------------------------------------


@given(latent_dim=st.integers(2, 200), rows=st.integers(1, 4), columns=st.integers(2, 9))
@settings(max_examples=30)
def test_normal_rows_stay_on_the_sphere_at_even_angles(latent_dim: int, rows: int, columns: int) -> None:
    z = interpolation(latent_dim, "normal", rows, columns).double()
    assert z.shape == (rows, columns, latent_dim)
    torch.testing.assert_close(z.norm(dim=-1), torch.full((rows, columns), math.sqrt(latent_dim)).double())
    for row in z:
        cosines = torch.nn.functional.cosine_similarity(row[:-1], row[1:]).clamp(-1, 1)
        total = torch.arccos(torch.cosine_similarity(row[0], row[-1], 0).clamp(-1, 1))
        expected = (total / (columns - 1)).expand(columns - 1)
        torch.testing.assert_close(torch.arccos(cosines), expected, atol=2e-3, rtol=0)


def test_slerp_is_white_s_formula_between_its_ends() -> None:
    z = interpolation(5, "normal", 1, 5)[0].double()
    a, b = z[0], z[-1]
    theta = torch.arccos(a @ b / 5)
    middle = (torch.sin(theta / 2) * a + torch.sin(theta / 2) * b) / torch.sin(theta)
    torch.testing.assert_close(z[2], middle, atol=1e-6, rtol=0)
    assert not torch.allclose(z[2], (a + b) / 2, atol=1e-2)


@pytest.mark.parametrize(("latent", "latent_dim"), [("uniform", 7), ("uniform", 1), ("normal", 1)])
def test_other_rows_are_straight(latent: Latent, latent_dim: int) -> None:
    z = interpolation(latent_dim, latent, 4, 6)
    steps = z.diff(dim=1)
    torch.testing.assert_close(steps, steps[:, :1].expand_as(steps), atol=1e-6, rtol=1e-5)
    assert (z[:, 0] != z[:, -1]).all()
    if latent == "uniform":
        assert z.abs().max() <= 1


@pytest.mark.parametrize("latent", get_args(Latent))
def test_a_row_is_the_same_however_many_there_are(latent: Latent) -> None:
    many = interpolation(6, latent, 9, 5)
    torch.testing.assert_close(interpolation(6, latent, 2, 5), many[:2], atol=0, rtol=0)
    assert len({tuple(row[0].tolist()) for row in many} | {tuple(row[-1].tolist()) for row in many}) == 18


def test_the_points_leave_the_global_state_alone() -> None:
    before = torch.get_rng_state()
    first = [grid(config_of(latent_dim=2)) for grid in GRIDS.values()]
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    for z, again in zip(first, [grid(config_of(latent_dim=2)) for grid in GRIDS.values()], strict=True):
        assert torch.equal(z, again)


@pytest.mark.parametrize(("latent", "reach"), [("normal", 2.0), ("uniform", 1.0)])
def test_a_manifold_grows_to_the_right_and_upwards(latent: Latent, reach: float) -> None:
    z = manifold_grid(5, latent)
    assert z.shape == (5, 5, 2)
    corners = {(0, 0): (-1, 1), (0, -1): (1, 1), (-1, 0): (-1, -1), (-1, -1): (1, -1)}
    for place, (first, second) in corners.items():
        assert z[place].tolist() == [first * reach, second * reach]
    assert z[2, 2].tolist() == [0, 0]
    assert (z[:, :, 0].diff(dim=1) > 0).all()
    assert (z[:, :, 1].diff(dim=0) < 0).all()


def test_the_kinds_are_the_store_s_and_two_dimensions_have_both() -> None:
    assert set(GRIDS) == set(get_args(ViewKind)) == set(get_args(module.ViewKind))
    assert view_kinds(config_of(latent_dim=2)) == ("manifold", "interpolation")
    assert view_kinds(config_of()) == ("interpolation",)


# --- what is drawn there ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes", [{"batchnorm": "none"}, {"batchnorm": "generator"}, {"architecture": "dcgan"}]
)
def test_a_view_shows_the_generator_s_images(changes: dict[str, Any]) -> None:
    config = config_of(**changes)
    weights, z = weights_of(config), interpolation(3, "normal", 2, 5)
    images = latent_view(config, SHAPE, weights, z)
    assert images.shape == (2, 5, 28, 28, 1)
    assert images.dtype == torch.uint8
    assert not torch.equal(images[0, 0], images[0, -1])
    generator = find_pair(config.architecture).generator(config, SHAPE)
    own = {n.removeprefix("generator."): torch.from_numpy(v) for n, v in weights.items() if n[0] == "g"}
    generator.load_state_dict(own)
    noise = picture_noise(16, 3)
    with torch.no_grad():
        drawn = generator(torch.cat([z[0, :4], noise[4:]]))[:4, 0]
    expected = ((drawn + 1) * 127.5).round().to(torch.uint8)
    assert (images[0, :4, :, :, 0].int() - expected.int()).abs().max() <= 1


def test_a_batch_is_as_large_as_in_training_and_mostly_standard_noise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = config_of(batch_size=12, packing=2)
    z = interpolation(3, "normal", 3, 5)
    batches: list[torch.Tensor] = []
    real_call = module.functional_call

    def listen(network: Any, own: Any, inputs: tuple[torch.Tensor]) -> Any:
        batches.append(inputs[0])
        return real_call(network, own, inputs)

    monkeypatch.setattr(module, "functional_call", listen)
    latent_view(config, SHAPE, weights_of(config_of()), z)
    noise = picture_noise(24, 3)
    assert {len(batch) for batch in batches} == {24}
    points = [[k for k in range(24) if not torch.equal(batch[k], noise[k])] for batch in batches]
    assert [len(own) for own in points] == [6, 6, 3]
    assert all(len(own) <= 24 // SHARE for own in points)
    found = torch.cat([batch[own] for batch, own in zip(batches, points, strict=True)])
    torch.testing.assert_close(found, z.flatten(0, 1), atol=0, rtol=0)


def test_with_batchnorm_the_rows_above_do_not_change_an_image_much() -> None:
    """An extreme row would shift the statistics of a batch of its own; beside noise it hardly does."""
    config = config_of(batch_size=64)
    weights = weights_of(config)
    far = 2 * interpolation(3, "normal", 1, 8)
    alone = latent_view(config, SHAPE, weights, far).float()
    beside = latent_view(config, SHAPE, weights, torch.cat([far, interpolation(3, "normal", 1, 8)])).float()
    assert (alone[0] - beside[0]).abs().mean() < 12
    assert (alone[0] - beside[1]).abs().mean() > 3 * (alone[0] - beside[0]).abs().mean()


def test_the_average_is_shown_where_there_is_one() -> None:
    config = config_of(ema_decay=0.9)
    weights = weights_of(config, average=True)
    z = interpolation(3, "normal", 1, 4)
    shown = latent_view(config, SHAPE, weights, z)
    only = {name: value for name, value in weights.items() if not name.startswith("average.")}
    swapped = {
        name.replace("average.", "generator."): value
        for name, value in weights.items()
        if name.startswith("average.")
    }
    assert torch.equal(shown, latent_view(config, SHAPE, swapped, z))
    assert not torch.equal(shown, latent_view(config, SHAPE, only, z))


def test_a_conditional_generator_shows_a_class_a_row() -> None:
    config = config_of(architecture="conditional", batchnorm="none")
    image = ImageShape(1, 28, 3)
    weights = weights_of(config, image)
    z = interpolation(3, "normal", 1, 4).expand(4, -1, -1)
    images = latent_view(config, image, weights, z)
    assert torch.equal(images[0], images[3])
    assert len({images[row].numpy().tobytes() for row in range(3)}) == 3
    generator = find_pair("conditional").generator(config, image)
    own = {n.removeprefix("generator."): torch.from_numpy(v) for n, v in weights.items() if n[0] == "g"}
    generator.load_state_dict(own)
    with torch.no_grad():
        drawn = generator(torch.cat([z[2], torch.tensor([0.0, 0.0, 1.0]).expand(4, 3)], 1))[:, 0]
    expected = ((drawn + 1) * 127.5).round()
    assert (images[2, :, :, :, 0].float() - expected).abs().max() <= 1


@pytest.mark.parametrize("changes", [{}, {"spectral_norm": True, "dropout": 0.3}, {"packing": 2}])
def test_a_pair_with_switches_takes_them_from_real_images(changes: dict[str, Any]) -> None:
    config = config_of(architecture="unpool", batchnorm="none", **changes)
    pair = find_pair("unpool")
    weights = weights_of(config_of(architecture="unpool", batchnorm="none"))
    critic = initial_weights(
        pair.discriminator(config, SHAPE.seen(config.packing)), generator=torch.Generator().manual_seed(5)
    )
    weights = {name: value for name, value in weights.items() if name[0] == "g"}
    weights |= {f"discriminator.{name}": value.numpy() for name, value in critic.items()}
    z = interpolation(3, "normal", 1, 4).expand(2, -1, -1)
    generator = torch.Generator().manual_seed(1)
    real = torch.randint(256, (4, 1, 28, 28), generator=generator, dtype=torch.uint8)
    images = latent_view(config, SHAPE, weights, z, real=real)
    assert not torch.equal(images[0], images[1])  # the same z, another image's places
    assert torch.equal(images, latent_view(config, SHAPE, weights, z, real=real))
    assert not torch.equal(images, latent_view(config, SHAPE, weights, z, real=255 - real))
    with pytest.raises(ValueError, match="cannot draw without real images"):
        latent_view(config, SHAPE, weights, z)


def test_broken_weights_are_drawn_black() -> None:
    config = config_of()
    weights = {name: np.full_like(value, np.nan) for name, value in weights_of(config).items()}
    assert not latent_view(config, SHAPE, weights, interpolation(3, "normal", 1, 3)).any()


def test_points_have_no_view() -> None:
    with pytest.raises(StabilityError, match=r"^points have no latent view: [^\n]*$"):
        latent_view(config_of(), ImageShape(2, 1), {}, interpolation(3, "normal", 1, 3))


def test_a_network_that_diverged_still_has_a_view() -> None:
    config = Config(architecture="unpool", spectral_norm=True, width=8, batch_size=16, latent_dim=5)
    weights = {name: np.full_like(value, np.nan) for name, value in weights_of(config).items()}
    z = interpolation(config.latent_dim, config.latent, 2, 3)
    view = latent_view(config, SHAPE, weights, z, real=torch.zeros(4, 1, 28, 28, dtype=torch.uint8))
    assert view.shape == (2, 3, 28, 28, 1)

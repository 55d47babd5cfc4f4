from __future__ import annotations

import numpy as np
import pytest
import torch
from small_studies import CPU, small_mnist

from stability.errors import StabilityError
from stability.gan.data.datasets import load_dataset
from stability.gan.networks import ImageShape, find_pair, initial_weights
from stability.runner.views import first_view, image_shape, make_view
from stability.spec import Config, Run


def run_of(seed: int = 0, **changes: object) -> Run:
    config = Config(width=8, batch_size=16, **changes)  # type: ignore[arg-type]
    return Run(
        run=f"p000-s{seed}", point=0, trial="p000", replicate=seed, seed=seed, config=config, levels={}
    )


def weights_of(run: Run) -> dict[str, np.ndarray]:
    template = find_pair(run.config.architecture).generator(run.config, image_shape(run, small_mnist()))
    drawn = initial_weights(template, generator=torch.Generator().manual_seed(run.seed))
    return {f"generator.{name}": 4 * weight.numpy() for name, weight in drawn.items()}


def test_a_run_of_two_coordinates_is_kept_as_a_manifold() -> None:
    run = run_of(latent_dim=2, latent="uniform")
    view = first_view(run, small_mnist(), weights_of(run))
    assert view is not None
    assert (view.kind, view.latent, view.latent_dim) == ("manifold", "uniform", 2)
    assert view.images.shape == (9, 9, 28, 28, 1)


def test_other_runs_are_kept_as_an_interpolation() -> None:
    run = run_of(latent_dim=8)
    view = first_view(run, small_mnist(), weights_of(run))
    assert view is not None
    assert (view.kind, view.latent_dim, view.images.shape) == ("interpolation", 8, (6, 8, 28, 28, 1))


def test_views_differ_by_the_weights_alone() -> None:
    one, other = run_of(0, latent_dim=8), run_of(1, latent_dim=8)
    weights = weights_of(one)
    same = [make_view("interpolation", run, small_mnist(), weights).images for run in (one, other)]
    assert np.array_equal(*same)
    assert not np.array_equal(
        same[0], make_view("interpolation", other, small_mnist(), weights_of(other)).images
    )


@pytest.mark.parametrize(("architecture", "classes"), [("mlp", 0), ("conditional", 10)])
def test_only_conditional_networks_count_classes(architecture: str, classes: int) -> None:
    assert image_shape(run_of(architecture=architecture), small_mnist()) == ImageShape(1, 28, classes)


def test_points_are_kept_without_a_view() -> None:
    points, run = load_dataset("ring", device=CPU), run_of()
    assert first_view(run, points, {}) is None
    with pytest.raises(StabilityError, match="points have no latent view"):
        make_view("interpolation", run, points, {})


def test_switches_come_from_training_images() -> None:
    run = run_of(architecture="unpool", latent_dim=8, batchnorm="none")
    pair, image = find_pair("unpool"), image_shape(run, small_mnist())
    drawn = initial_weights(pair.discriminator(run.config, image), generator=torch.Generator().manual_seed(1))
    weights = weights_of(run) | {f"discriminator.{name}": value.numpy() for name, value in drawn.items()}
    images = make_view("interpolation", run, small_mnist(), weights).images
    assert len({row.tobytes() for row in images[:, 0]}) == len(images)

"""Latent views of runs, from their kept weights."""

from __future__ import annotations

from stability.errors import StabilityError
from stability.gan.data.datasets import Dataset
from stability.gan.networks import ImageShape, find_pair
from stability.gan.training.latent import GRIDS, Weights, check_viewable, latent_view, view_kinds
from stability.spec import Run
from stability.store import LatentView, ViewKind

LENDERS = 256
"""Training images whose switches serve a view; most generators take none."""


def image_shape(run: Run, dataset: Dataset) -> ImageShape:
    """What the run's generator draws, and of how many classes if it is told the class."""
    conditional = find_pair(run.config.architecture).conditional
    classes = int(dataset.train_labels.max()) + 1 if conditional else 0
    return ImageShape(dataset.channels, dataset.image_size, classes)


def make_view(kind: ViewKind, run: Run, dataset: Dataset, weights: Weights) -> LatentView:
    """Draw one view of a run.

    Raises StabilityError where the data set has points instead of images.
    """
    switches = find_pair(run.config.architecture).switches
    real = dataset.train[:LENDERS].cpu() if switches else None
    images = latent_view(run.config, image_shape(run, dataset), weights, GRIDS[kind](run.config), real=real)
    return LatentView(kind, run.config.latent, run.config.latent_dim, images.numpy())


def first_view(run: Run, dataset: Dataset, weights: Weights) -> LatentView | None:
    """The view that is kept with a run; None where its data set has points."""
    try:
        check_viewable(image_shape(run, dataset))
    except StabilityError:
        return None
    return make_view(view_kinds(run.config)[0], run, dataset, weights)

"""`stability classifier`: the classifiers whose features the metrics use, trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stability.cli.options import DataRoot, Device, Download

classifier_app = typer.Typer(no_args_is_help=True, help="The classifiers whose features the metrics use.")


@classifier_app.command("train")
def train(
    dataset: Annotated[
        str, typer.Option(help="mnist, fashion-mnist, kmnist, cifar10 or folder:PATH.")
    ] = "mnist",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 16,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same weights.")] = 0,
    image_size: Annotated[
        int | None, typer.Option(help="28, 32 or 64; by default the data set's own.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Weights file (.safetensors).")] = None,
    device: Device = "auto",
    data_root: DataRoot = None,
    download: Download = False,
) -> None:
    """Train the classifier whose features and probabilities a data set's metrics use."""
    from stability.gan.data.datasets import load_dataset
    from stability.gan.metrics.classifier import (
        EpochReport,
        classifier_path,
        save_classifier,
        train_classifier,
    )
    from stability.runner.devices import choose_device

    place = choose_device(device)
    images = load_dataset(
        dataset, device=place, data_root=data_root, download=download, image_size=image_size
    )

    def show(epoch: EpochReport) -> None:
        typer.echo(
            f"epoch {epoch.epoch}/{epoch.epochs}: loss {epoch.loss:.4f}, "
            f"training accuracy {epoch.accuracy:.4f}, {epoch.seconds:.0f} s"
        )

    trained = train_classifier(images, seed=seed, epochs=epochs, device=place, progress=show)
    path = save_classifier(trained, out or classifier_path(images))
    typer.echo(f"accuracy on {len(images.test):,} test images: {trained.accuracy:.4f}; wrote {path}")
    if images.name == "mnist":
        typer.echo(
            f"mnist's metrics use the classifier that is shipped; for this one give --classifier {path}"
        )
    elif out is not None:
        typer.echo(f"to use it give --classifier {path}")

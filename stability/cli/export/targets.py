"""One function for each tool that runs are exported to. Each library is an extra and imported here alone."""

from __future__ import annotations

import importlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stability.cli.export.runs import ExportedRun, exported_runs
from stability.errors import StabilityError
from stability.page_kit.pictures import enlarged
from stability.store.sheets import as_sheet

COLUMNS = 8
"""Images in a row of a visit's picture."""
SIDE = 64
"""Pixels that an image should be high, at a whole multiple."""


def export(tool: str, folder: Path, out: Path | None) -> Iterator[str]:
    """Write a study's runs for a tool; yield a line for each run, and what to do next.

    Raises `StabilityError`: the tool's library is not installed, the folder holds no study, or something is
    in the way: written twice, every run would be there twice.
    """
    yield from TARGETS[tool](folder, free_place(tool, folder, out))


def free_place(tool: str, folder: Path, out: Path | None = None, *, may_exist: bool = False) -> Path:
    """Where a study's runs go.

    Raises `StabilityError`: something is there and may not be.
    """
    place = out or Path("exports") / tool / folder.resolve().name
    if place.exists() and not may_exist:
        raise StabilityError(f"{place}: is there already; remove it, or give another folder with --out")
    return place


def to_tensorboard(folder: Path, place: Path) -> Iterator[str]:
    """Event files, a folder a run."""
    tensorboard = library("torch.utils.tensorboard", "tensorboard")
    for run in exported_runs(folder):
        write_events(tensorboard, run, place)
        yield f"{run.name}: {run.ended['outcome']}"
    yield f"next: tensorboard --logdir {place}"


def write_events(tensorboard: Any, run: ExportedRun, place: Path) -> None:
    """Scalars, the film, how the run ended as text, and its settings and outcome beside its last metrics.

    Its folder is there when all is in it: TensorBoard may be looking, and this process may be killed.
    """
    unfinished = place.with_name(f".{place.name}-{run.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    with tensorboard.SummaryWriter(str(unfinished)) as writer:
        for step, numbers in run.numbers():
            for name, value in numbers.items():
                writer.add_scalar(name, value, step)
        for step, picture in pictures(run):
            writer.add_image("samples", picture, step, dataformats="HWC")
        writer.add_text("end", run.end)
        settings = {"outcome": run.ended["outcome"], **dict(_texts(run.settings))}
        for summary in tensorboard.summary.hparams(settings, {f"visit/{name}": 0 for name in run.last}):
            writer.file_writer.add_summary(summary)  # not by add_hparams, which would draw the last values
    place.mkdir(parents=True, exist_ok=True)
    unfinished.rename(place / run.name)


def to_mlflow(folder: Path, place: Path) -> Iterator[str]:
    """A local store: settings as parameters, numbers as metrics, how a run ended as tags, films as images."""
    mlflow = library("mlflow", "mlflow")
    place.mkdir(parents=True, exist_ok=True)
    address = f"sqlite:///{(place / 'mlflow.db').resolve()}"
    client = mlflow.MlflowClient(tracking_uri=address)
    experiment = client.create_experiment(
        folder.resolve().name,
        artifact_location=(place / "artifacts").resolve().as_uri(),
    )
    for run in exported_runs(folder):
        now = round(time.time() * 1000)
        tags = {**run.ended, "mlflow.note.content": run.end}
        begun = now - round(run.seconds * 1000)  # so that its duration is the training's
        made = client.create_run(experiment, start_time=begun, run_name=run.name, tags=tags)
        params = [mlflow.entities.Param(name, str(value)) for name, value in run.settings.items()]
        client.log_batch(made.info.run_id, params=params)
        for step, numbers in run.numbers():
            metrics = [mlflow.entities.Metric(name, value, 0, step) for name, value in numbers.items()]
            client.log_batch(made.info.run_id, metrics=metrics)
        for step, picture in pictures(run):
            client.log_image(made.info.run_id, picture, artifact_file=f"samples/step-{step:08d}.png")
        client.set_terminated(made.info.run_id, end_time=now)
        yield f"{run.name}: {run.ended['outcome']}"
    whole = "" if find_spec("flask") else "pip install mlflow; "  # the extra's has no pages
    yield f"next: {whole}mlflow ui --backend-store-uri {address}"


def to_wandb(folder: Path, place: Path) -> Iterator[str]:
    """Offline runs, which `wandb sync` uploads; nothing leaves this machine before."""
    wandb = library("wandb", "wandb")
    place.mkdir(parents=True, exist_ok=True)
    for run in exported_runs(folder):
        films = dict(pictures(run))
        with wandb.init(
            project=folder.resolve().name,
            name=run.name,
            dir=str(place),
            mode="offline",
            config=run.settings,
            tags=[run.ended["outcome"]],
            notes=run.ended["reason"],
            reinit="finish_previous",
        ) as logged:
            for step, numbers in run.numbers():
                pictured = {"samples": wandb.Image(films[step])} if step in films else {}
                logged.log({**numbers, **pictured}, step=step)
            logged.summary.update({**run.ended, **run.last})
        yield f"{run.name}: {run.ended['outcome']}"
    yield f"next: wandb sync {os.path.join(place, 'wandb', 'offline-run-*')}"


TARGETS: Mapping[str, Callable[[Path, Path], Iterator[str]]] = {
    "tensorboard": to_tensorboard,
    "mlflow": to_mlflow,
    "wandb": to_wandb,
}


def pictures(run: ExportedRun) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """By visit, the film's images side by side, `[h, w, 3]`."""
    if run.film is None:
        return
    scale = max(1, round(SIDE / run.film.images.shape[2]))
    for step, images in zip(run.film.steps, run.film.images, strict=True):
        rows = max(1, len(images) // COLUMNS)
        kept = images[: rows * min(COLUMNS, len(images))]
        sheet = as_sheet(kept.reshape(rows, -1, *kept.shape[1:]))
        yield step, np.asarray(enlarged(sheet, scale).convert("RGB"))


def library(module: str, package: str) -> Any:
    """A tool's library; raises `StabilityError` where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise StabilityError(
            f"export {package}: its library is not installed; pip install 'stability[{package}]'"
        ) from error


def _texts(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Settings as TensorBoard takes them: numbers, booleans and texts."""
    for name, value in settings.items():
        yield name, value if isinstance(value, bool | int | float | str) else str(value)

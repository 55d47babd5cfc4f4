"""Tensors that take a while to compute, kept in the user's cache folder, which may be deleted at any time.

May not import store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import platformdirs
import torch
from jaxtyping import UInt8
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from stability.gan.data.datasets import Dataset
from stability.gan.metrics.describers import Describer
from stability.gan.metrics.files import write_whole

_CACHE_FORMAT = "1"


class Cache:
    """Tensors computed once per data set, describer and environment; any trouble means computing again."""

    def __init__(
        self, dataset: Dataset, describer: Describer, folder: Path | None, note: Callable[[str], None]
    ) -> None:
        """Tell `note`, once, if nothing can be kept."""
        self._note = note
        self._told = False
        self._folder = folder or platformdirs.user_cache_path("stability")
        device = dataset.train.device.type
        threads = str(torch.get_num_threads()) if device == "cpu" else ""
        parts = (
            _CACHE_FORMAT,
            dataset.sha256,
            describer.sha256,
            torch.__version__,
            device,
            threads,
        )
        self._key = hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]
        self._stem = f"{dataset.name}-{describer.name}"
        self._usable = bool(describer.sha256)

    def get(self, what: str, compute: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """What is kept under this name, on the CPU, or what `compute` gives, wherever that is."""
        if not self._usable:
            return compute()
        path = self._folder / f"{self._stem}-{what}-{self._key}.safetensors"
        found = _read_cache(path)
        if found is None:
            found = compute()
            self._keep(path, found)
        return found

    def _keep(self, path: Path, tensors: dict[str, Tensor]) -> None:
        stored = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
        stored["sha256"] = _digest(stored)
        try:
            write_whole(path, save_tensors(stored))
        except OSError as error:
            if not self._told:
                reason = error.strerror or error
                self._note(f"{path}: cannot be kept for the next time ({reason}), which costs only time")
            self._told = True


def _read_cache(path: Path) -> dict[str, Tensor] | None:
    try:
        tensors = load_tensors(path.read_bytes())
        digest = tensors.pop("sha256")
    except (OSError, KeyError, SafetensorError):
        return None
    return tensors if digest.equal(_digest(tensors)) else None


def _digest(tensors: dict[str, Tensor]) -> UInt8[Tensor, " bytes"]:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tuple(tensors[name].shape)}".encode())
        digest.update(tensors[name].numpy().data)
    return torch.tensor(list(digest.digest()), dtype=torch.uint8)

"""What generated samples are worth: every metric of an `Evaluation`, against one data set and classifier.

The features of the training images and the FID floors are kept in the user's cache folder, which may
be deleted at any time. Whatever is float64 is on the CPU, since not every device has it. May not import
store, design, runner, outcomes, Optuna or pandas.
"""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import torch
from jaxtyping import Float, Int64, UInt8
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from stability.errors import StabilityError
from stability.gan.classifier import Classifier
from stability.gan.data import Dataset
from stability.gan.fid import FLOOR_DRAWS, FidFloor, Statistics, feature_statistics, fid, fid_floor
from stability.gan.manifold import NEIGHBOURS, Manifold, diversity, manifold, nearest, prdc
from stability.records import Evaluation

HELD_OUT = 1024
"""Held-out real images used for the separation, at most."""
MODE_CONFIDENCE = 0.9
MODE_FRACTION = 5
"""A mode is covered from 1 / 5 of an even share on: .02 with ten classes."""
_SEED = 20_191_025
"""Of the draw of held-out images and of the floors: the same in every study."""
_CACHE_FORMAT = "1"


@dataclass(frozen=True)
class Reference:
    """What `n` samples are compared with."""

    floor: FidFloor
    real: Manifold
    """Of the first n held-out images, or of all where there are fewer."""
    real_nearest: float
    """Median distance of those images to their nearest training image."""


@dataclass(frozen=True)
class ClassUse:
    """How samples spread over the classes; see `Evaluation` for each."""

    shares: tuple[float, ...]
    modes: int
    effective_modes: float
    kl: float
    confidence: float


class Evaluator:
    """Evaluates samples of any run of a study; holds all that does not depend on the samples.

    `held_out` are the real images (uint8) whose logits `evaluate` wants. Nothing is
    drawn at random when samples are evaluated.
    """

    def __init__(
        self,
        dataset: Dataset,
        classifier: Classifier,
        *,
        samples: int,
        final_samples: int,
        cache_dir: Path | None = None,
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Compute or look up what the samples are compared with.

        Args:
            dataset: the real images.
            classifier: whose features and probabilities are used.
            samples: images of every evaluation.
            final_samples: images that the last evaluation's additional FID is taken on.
            cache_dir: where features and floors are kept; by default the user's cache folder.
            note: told what is about to take a while.

        Raises:
            StabilityError: the data set has too few images for evaluations of these sizes.

        """
        self.dataset, self.classifier = dataset, classifier
        self.samples, self.final_samples = samples, final_samples
        _check_sizes(dataset, max(samples, final_samples))
        self._cache = _Cache(dataset, classifier, cache_dir)
        order = torch.randperm(len(dataset.test), generator=torch.Generator().manual_seed(_SEED))
        self._order = order.to(dataset.test.device)
        self.held_out: UInt8[Tensor, "m c h w"] = dataset.test[self._order[:HELD_OUT]]
        features = self._cache.get("features", lambda: _features_of(dataset, classifier, note))
        device = dataset.train.device
        self._train, self._test = features["train"].to(device), features["test"].to(device)
        self._test_statistics: Statistics = feature_statistics(self._test)
        self._class_shares = _shares(dataset.train_labels, len(dataset.classes))
        self._floors: dict[int, FidFloor] = {}
        self._references = {samples: self._compute_reference(samples)}

    def reference(self, n: int) -> Reference:
        """What an evaluation of `n` samples is compared with; an unplanned size is slow at first."""
        if n not in self._references:
            _check_sizes(self.dataset, n)
            self._references[n] = self._compute_reference(n)
        return self._references[n]

    def floors(self) -> dict[str, dict[str, float]]:
        """By an FID's full name: mean, spread and number of the draws of its floor."""
        sizes = sorted({self.samples, self.final_samples})
        return {
            self._fid_name(n): {"mean": floor.mean, "std": floor.std, "draws": floor.draws}
            for n, floor in ((n, self._floor(n)) for n in sizes)
        }

    def evaluate(
        self,
        images: Float[Tensor, "n c h w"],
        *,
        run: str,
        step: int,
        real_logits: Float[Tensor, " m"],
        fake_logits: Float[Tensor, " k"],
    ) -> Evaluation:
        """Measure `images` in -1..1, by a discriminator's logits on `held_out` and on samples.

        Every metric is taken on the first `samples` images, so that visits compare; more of them, as at the
        last visit, give one more FID under its own name. If anything is not finite every metric of the
        samples is NaN and no mode is covered.
        """
        described, logits = self.classifier.describe(images)
        if not (images.isfinite().all() and described.isfinite().all() and logits.isfinite().all()):
            described, logits = torch.full_like(described, torch.nan), torch.full_like(logits, torch.nan)
            fake_logits = torch.full_like(fake_logits, torch.nan)
        scores = self._fid(described)
        n = min(len(images), self.samples)
        features, logits = described[:n], logits[:n]
        reference, score = self.reference(n), scores[self._fid_name(n)]
        use = class_use(logits, self._class_shares)
        fake = manifold(features)
        similarity = prdc(reference.real, fake)
        return Evaluation(
            run=run,
            step=step,
            n_samples=n,
            features=self.classifier.name,
            fid=scores,
            fid_floor=reference.floor.mean,
            fid_floor_std=reference.floor.std,
            fid_ratio=score / reference.floor.mean,
            class_shares=use.shares,
            modes=use.modes,
            n_modes=len(self.dataset.classes),
            effective_modes=use.effective_modes,
            kl=use.kl,
            confidence=use.confidence,
            precision=similarity.precision,
            recall=similarity.recall,
            density=similarity.density,
            coverage=similarity.coverage,
            diversity=diversity(reference.real, fake),
            separation=separation(real_logits, fake_logits),
            memorisation=_median(nearest(features, self._train)) / reference.real_nearest,
        )

    def _fid_name(self, n: int) -> str:
        return f"fid_{self.classifier.name}_{n}"

    def _fid(self, features: Float[Tensor, "n features"]) -> dict[str, float]:
        sizes = sorted({min(len(features), self.samples), len(features)})
        return {
            self._fid_name(size): fid(feature_statistics(features[:size]), self._test_statistics)
            for size in sizes
        }

    def _compute_reference(self, n: int) -> Reference:
        drawn = self._test[self._order[:n]]
        found = self._cache.get(f"nearest-{n}", lambda: self._real_nearest(drawn))
        return Reference(self._floor(n), manifold(drawn), found["nearest"].item())

    def _floor(self, n: int) -> FidFloor:
        if n not in self._floors:
            mean, std = self._cache.get(f"floor-{n}", lambda: self._compute_floor(n))["floor"].tolist()
            self._floors[n] = FidFloor(mean=mean, std=std, draws=FLOOR_DRAWS, n=n)
        return self._floors[n]

    def _compute_floor(self, n: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(_SEED)
        floor = fid_floor(self._train, self._test_statistics, n, generator=generator)
        return {"floor": torch.tensor([floor.mean, floor.std], dtype=torch.float64)}

    def _real_nearest(self, drawn: Float[Tensor, "m features"]) -> dict[str, Tensor]:
        return {"nearest": torch.tensor([_median(nearest(drawn, self._train))], dtype=torch.float64)}


def class_use(logits: Float[Tensor, "n classes"], real_shares: Float[Tensor, " classes"]) -> ClassUse:
    """How samples spread over the classes, by their logits: NaN and 0 modes where one is not finite."""
    n_classes = logits.shape[1]
    if not logits.isfinite().all():
        return ClassUse((math.nan,) * n_classes, 0, math.nan, math.nan, math.nan)
    confidence, classes = logits.cpu().double().softmax(1).max(1)
    shares = _shares(classes, n_classes)
    confident = torch.bincount(classes[confidence >= MODE_CONFIDENCE], minlength=n_classes)
    return ClassUse(
        shares=tuple(shares.tolist()),
        modes=int((confident * MODE_FRACTION * n_classes >= len(logits)).sum()),
        effective_modes=torch.special.entr(shares).sum().exp().item(),
        kl=(torch.xlogy(shares, shares) - torch.xlogy(shares, real_shares.cpu())).sum().item(),
        confidence=confidence.mean().item(),
    )


def separation(real_logits: Float[Tensor, " m"], fake_logits: Float[Tensor, " n"]) -> float:
    """P(real > fake) + P(real = fake) / 2 over all pairs, the area under the ROC curve; NaN for NaN."""
    if real_logits.isnan().any() or fake_logits.isnan().any():
        return math.nan
    fakes, reals = fake_logits.cpu().sort().values, real_logits.cpu().contiguous()
    below = torch.searchsorted(fakes, reals)
    not_above = torch.searchsorted(fakes, reals, right=True)
    return (below + not_above).double().mean().item() / (2 * len(fakes))


class _Cache:
    """Tensors computed once per data set, classifier and environment; any trouble means computing again."""

    def __init__(self, dataset: Dataset, classifier: Classifier, folder: Path | None) -> None:
        self._folder = folder or platformdirs.user_cache_path("stability")
        device = dataset.train.device.type
        threads = str(torch.get_num_threads()) if device == "cpu" else ""
        parts = (
            _CACHE_FORMAT,
            dataset.sha256,
            classifier.sha256,
            torch.__version__,
            device,
            threads,
        )
        self._key = hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]
        self._stem = f"{dataset.name}-{classifier.name}"
        self._usable = bool(classifier.sha256)

    def get(self, what: str, compute: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """What is kept under this name, on the CPU, or what `compute` gives, wherever that is."""
        if not self._usable:
            return compute()
        path = self._folder / f"{self._stem}-{what}-{self._key}.safetensors"
        found = _read_cache(path)
        if found is None:
            found = compute()
            _write_cache(path, found)
        return found


def _read_cache(path: Path) -> dict[str, Tensor] | None:
    try:
        tensors = load_tensors(path.read_bytes())
        digest = tensors.pop("sha256")
    except (OSError, KeyError, SafetensorError):
        return None
    return tensors if digest.equal(_digest(tensors)) else None


def _write_cache(path: Path, tensors: dict[str, Tensor]) -> None:
    stored = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    stored["sha256"] = _digest(stored)
    temporary = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        with os.fdopen(handle, "wb") as file:
            file.write(save_tensors(stored))
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True) if temporary else None


def _digest(tensors: dict[str, Tensor]) -> UInt8[Tensor, " bytes"]:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tuple(tensors[name].shape)}".encode())
        digest.update(tensors[name].numpy().data)
    return torch.tensor(list(digest.digest()), dtype=torch.uint8)


def _check_sizes(dataset: Dataset, n: int) -> None:
    if n > len(dataset.train):
        raise StabilityError(
            f"{dataset.name}: {len(dataset.train)} training images are fewer than the {n} samples of an "
            "evaluation; lower recording.samples and recording.final_samples"
        )
    if len(dataset.test) <= NEIGHBOURS:
        raise StabilityError(
            f"{dataset.name}: {len(dataset.test)} held-out images are too few to compare with; "
            f"at least {NEIGHBOURS + 1} are needed"
        )


def _features_of(dataset: Dataset, classifier: Classifier, note: Callable[[str], None]) -> dict[str, Tensor]:
    n = len(dataset.train) + len(dataset.test)
    note(f"computing features of {n:,} real images (the first time only)")
    return {
        "train": classifier.describe(dataset.train)[0],
        "test": classifier.describe(dataset.test)[0],
    }


def _shares(classes: Int64[Tensor, " n"], n_classes: int) -> Float[Tensor, " classes"]:
    return torch.bincount(classes.cpu(), minlength=n_classes).double() / len(classes)


def _median(values: Float[Tensor, " n"]) -> float:
    return values.median().item()

"""What a study is trained with, besides its plan: data, describer, device, the user's own code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from stability.errors import StabilityError
from stability.gan.data.datasets import Dataset, load_dataset
from stability.gan.metrics.describers import Describer, load_describer
from stability.gan.metrics.evaluation import Evaluator
from stability.gan.metrics.own import find_metrics
from stability.runner.compatibility import check_code_allowed, check_fit, own_code
from stability.runner.devices import describe_environment
from stability.spec import StudySpec
from stability.spec.relations import check_trained_here
from stability.vocabulary.own_code import source_digest

DATASET = "study.yaml: dataset"
"""Where a study names its data set, unless the caller knows better."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Where things come from, besides the study file."""

    device: str = "auto"
    """`auto`, or devices of one kind by name, parted by commas."""
    data_root: Path | None = None
    download: bool = False
    classifier: Path | None = None
    threads: int | None = None
    """CPU threads of each process; None leaves it to the plan."""
    allow_code: bool = False
    """Whether networks of the user's own may be imported."""
    workers: int | None = 1
    """Processes that train cohorts at the same time; None leaves it to the size of the study. More than one
    are started anew, so a script that asks for them needs `if __name__ == "__main__":`."""


@dataclass(slots=True)
class Materials:
    """Data set, describer and device of a study, loaded once."""

    dataset: Dataset
    describer: Describer
    device: torch.device
    code: Mapping[str, str] = field(default_factory=dict)
    """The digests of the user's own networks, by name."""

    @staticmethod
    def load(
        spec: StudySpec, resources: Resources, device: torch.device, *, where: str = DATASET
    ) -> Materials:
        """Load them; an error in the data begins with `where`, the place that the data set is named.

        Raises StabilityError where data or classifier are missing or damaged, where the networks do not fit
        the data, or where they are code that nobody allowed to be imported.
        """
        check_trained_here(spec)
        check_code_allowed(spec, allowed=resources.allow_code)
        try:
            dataset = load_dataset(
                spec.dataset,
                device=device,
                data_root=resources.data_root,
                download=resources.download,
                image_size=spec.image_size,
            )
        except StabilityError as error:
            raise StabilityError(f"{where}: {error}") from error
        check_fit(spec, dataset)
        describer = load_describer(dataset, device=device, path=resources.classifier)
        code = {name: source_digest(name) for name in own_code(spec)}
        return Materials(dataset, describer, device, code)

    def evaluator(self, spec: StudySpec, note: Callable[[str], None]) -> Evaluator:
        """The study's evaluator; `note` is told when it is slow, since real features are computed first."""
        recording = spec.recording
        return Evaluator(
            self.dataset,
            self.describer,
            samples=recording.samples,
            final_samples=recording.final_samples,
            own=find_metrics(recording.metrics),
            note=note,
        )

    def describe(self) -> dict[str, Any]:
        """Everything besides the plan that could change a study's numbers."""
        own = {"networks": dict(self.code)} if self.code else {}
        return describe_environment(self.device, self.dataset, self.describer) | own

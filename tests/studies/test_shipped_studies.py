"""Every study that is shipped runs to its report, at a much reduced size."""

from __future__ import annotations

from pathlib import Path

import pytest

import stability
from stability.report import write_report
from stability.runner.materials import Resources
from stability.runner.study import StudyRunner
from stability.spec import Choice, StudySpec, load_study
from stability.store import Plan

STUDIES = Path(__file__).parents[2] / "studies"
NEEDS_DATA = {"fashion", "transfer"}
"""Their images are not shipped, nor is a classifier for them."""


class Silent:
    """Shows nothing."""

    def planned(self, plan: Plan, done: object) -> None: ...

    def note(self, text: str) -> None: ...

    def trained(self, member_steps: int) -> None: ...

    def skipped(self, member_steps: int) -> None: ...

    def finished(self, cohort: object, results: object) -> None: ...


def reduced(spec: StudySpec) -> StudySpec:
    """One point or all configs or, of a grid, two levels; one seed; eight steps; all else as it is."""
    space = {
        name: factor
        if isinstance(factor, Choice)
        else factor.model_copy(update={"levels": factor.levels and 2})
        for name, factor in spec.space.items()
    }
    small = spec.model_copy(update={"space": space})
    points = small.n_points if spec.configs or spec.design.sampler == "grid" else 1
    design = small.design.model_copy(update={"points": points, "seeds": 1})
    training = spec.training.model_copy(update={"steps": 8})
    recording = spec.recording.model_copy(
        update={"every": 2, "evaluate_every": 4, "samples": 64, "final_samples": 64}
    )
    fixed = spec.fixed | ({"width": 8} if "width" in spec.fixed else {}) | {"batch_size": 16}
    return small.model_copy(
        update={"design": design, "training": training, "recording": recording, "fixed": fixed}
    )


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_study_runs_to_its_report(path: Path, tmp_path: Path) -> None:
    if path.stem in NEEDS_DATA:
        pytest.skip("its images are not shipped")
    spec = reduced(load_study(path))
    folder = tmp_path / spec.name
    assert StudyRunner(spec, folder, Resources(device="cpu", threads=1), Silent()).run()
    frames = stability.load(folder)
    assert len(frames.runs) == len(frames.plan.runs) > 0
    assert len(frames.evaluations) > 0
    page = write_report(frames, tmp_path / "page.html").read_text(encoding="utf-8")
    assert spec.name in page
    assert all(run in page for run in frames.runs["run"].head(1))

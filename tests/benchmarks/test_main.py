"""Every section runs, in tiny sizes, and is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.__main__ import SECTIONS, main
from benchmarks.studies import STUDY
from stability.design import draw_points, plan_runs
from stability.spec import parse_study

pytestmark = pytest.mark.slow

TITLES = {
    "limits": "Limits",
    "products": "Products by shape",
    "steps": "Step time",
    "study": "Whole study",
    "evaluation": "Evaluation",
    "report": "Report",
    "cohorts": "Cohort sizes",
    "waiting": "Waiting threads",
    "engines": "Engines",
    "monitor": "Monitor",
    "profile": "Profile",
}


def test_every_section_has_a_test() -> None:
    assert list(TITLES) == list(SECTIONS)


LONG = ("steps", "study", "waiting", "evaluation", "engines", "report", "cohorts", "profile")
"""Sections that train or report whole studies, or start many processes."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.full if name in LONG else ()) for name in TITLES]
)
def test_a_section_runs_and_is_written(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "RESULTS.md"
    main(["--quick", "--device", "cpu", "--only", name, "--out", str(out)])
    text = out.read_text(encoding="utf-8")
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == ["# Benchmarks", f"## {TITLES[name]}", "## Below target, and why"]
    assert f"--only {name}" in text
    assert text.count(": missed**") == text.split("and why")[1].count("\n- ")
    assert "nan" not in text
    assert f"wrote {out}" in capsys.readouterr().out


def test_the_study_is_thirty_two_runs_that_naive_can_train() -> None:
    spec = parse_study(STUDY.read_text(encoding="utf-8"))
    runs = plan_runs(spec, draw_points(spec))
    assert len(runs) == 32
    assert {run.config.architecture for run in runs} == {"mlp", "dcgan"}
    assert spec.training.steps % spec.recording.evaluate_every == 0

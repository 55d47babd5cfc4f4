"""A whole study: through the command line, and as the script that one would write instead."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.settings import Settings
from benchmarks.steps import both_sides, measure_steps
from benchmarks.table import Sample, Section, Target
from stability.design import draw_points, plan_runs
from stability.spec import StudySpec, parse_study

STUDY = Path(__file__).with_name("whole_study.yaml")
MOST_ROUNDS = 3
QUICK = (
    "training.steps=4",
    "recording.evaluate_every=2",
    "recording.samples=64",
    "recording.final_samples=64",
    "design.points=1",
    "space.loss=[hinge, minimax]",
    "fixed.width=8",
)
WARM_UP = ("training.steps=2", "recording.evaluate_every=2", "design.points=1")
KEPT = Target(0.9)
"""Of the steps' ratio, how much the whole study's should keep."""


@dataclass(frozen=True, slots=True)
class Whole:
    """Seconds of the whole study by both, start of the process to its end."""

    naive: Sample
    naive_evaluating: Sample
    ours: Sample


def measure_study(settings: Settings, root: Path, scratch: Path) -> Whole:
    """Run both in turn; what is computed once a machine, such as real features, is there before."""
    overrides = settings.sized((), QUICK)
    warm_up = overrides or WARM_UP
    _run_ours(scratch / "warm-up", settings, warm_up)
    _run_naive(root, scratch, settings, warm_up)
    naive, evaluating, ours = [], [], []
    for place in range(_rounds(settings)):
        start = time.perf_counter()
        spent = _run_naive(root, scratch, settings, overrides)
        naive.append(time.perf_counter() - start)
        evaluating.append(spent["evaluating"])
        start = time.perf_counter()
        _run_ours(scratch / f"ours-{place}", settings, overrides)
        ours.append(time.perf_counter() - start)
    return Whole(Sample(tuple(naive)), Sample(tuple(evaluating)), Sample(tuple(ours)))


def step_seconds(settings: Settings, root: Path) -> tuple[float, float]:
    """Seconds that the study's steps take by themselves, naive's and ours, at rates measured in turn."""
    spec = whole_spec(settings)
    runs = plan_runs(spec, draw_points(spec))
    totals = [0.0, 0.0]
    with both_sides(settings, solo=False) as sides:
        for architecture in dict.fromkeys(run.config.architecture for run in runs):
            own = [run.config for run in runs if run.config.architecture == architecture]
            times = measure_steps(own[0], sides, settings, root)
            steps = len(own) * spec.training.steps
            totals[0] += steps * times.naive.median
            totals[1] += steps * times.ours[0].recorded.median
    return totals[0], totals[1]


def whole_spec(settings: Settings) -> StudySpec:
    """The study that both run."""
    return parse_study(STUDY.read_text(encoding="utf-8"), overrides=settings.sized((), QUICK))


def study_section(settings: Settings, root: Path, scratch: Path) -> Section:
    """Both whole times, and how much of the steps' ratio is left."""
    whole = measure_study(settings, root, scratch)
    naive_steps, our_steps = step_seconds(settings, root)
    spec = whole_spec(settings)
    n_runs = len(plan_runs(spec, draw_points(spec)))
    section = Section("Whole study")
    section.say(
        f"`{STUDY.parent.name}/{STUDY.name}`: {n_runs} runs of {spec.training.steps} steps, mlp and dcgan, "
        f"evaluated every {spec.recording.evaluate_every} steps on {spec.recording.samples:,} images. Ours "
        "is `stability run` into a fresh folder. Naive is a script: Optuna, one trial a configuration, "
        "the naive loop, and at every visit torch-fidelity's FID, precision and recall against the 10,000 "
        "test images, with the shipped classifier as feature extractor, and digits counted by it; "
        "features of real images are kept by both. Both are timed from the start of the process to its "
        f"end, in turn, {_rounds(settings)} rounds because each is long."
    )
    ratio = whole.naive.over(whole.ours)
    step_ratio = naive_steps / our_steps
    why = (
        f"of {whole.ours.median:.0f} s, {our_steps:.0f} s are steps at the rate measured by themselves; "
        "the rest is start-up, evaluation, writing, and workers that wait for the last cohort"
    )
    kept = section.judged(
        ratio.each(lambda value: value / step_ratio), KEPT, "whole study: ratio over ratio of steps", why=why
    )
    rows = [
        ["naive, s", whole.naive.text(1)],
        ["of which evaluating, s", whole.naive_evaluating.text(1)],
        ["ours, s", whole.ours.text(1)],
        ["ratio", ratio.text()],
        ["ratio of the steps alone, by their time", f"{step_ratio:.2f}"],
        ["ratio over ratio of steps", kept],
    ]
    section.tabulate(["What", f"Median of {_rounds(settings)}"], rows)
    section.say(
        f"The steps alone take {naive_steps:.1f} s of naive's time and {our_steps:.1f} s of ours, "
        "diagnostics included."
    )
    return section


def _rounds(settings: Settings) -> int:
    return min(MOST_ROUNDS, settings.rounds)


def _run_ours(folder: Path, settings: Settings, overrides: Sequence[str]) -> None:
    command = [sys.executable, "-m", "stability.cli", "run", str(STUDY), "--out", str(folder)]
    command += ["--device", settings.device]
    for override in overrides:
        command += ["--set", override]
    _finished(command)


def _run_naive(root: Path, scratch: Path, settings: Settings, overrides: Sequence[str]) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.naive_study", str(STUDY), str(root)]
    command += [str(scratch / "fidelity"), settings.device, *overrides]
    spent: dict[str, float] = json.loads(_finished(command).splitlines()[-1])
    return spent


def _finished(command: Sequence[str]) -> str:
    """What a command printed; raises RuntimeError with its complaint if it failed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout

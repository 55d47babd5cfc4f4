"""Synthetic studies with a planted course for every outcome; nothing is trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stability.questions.all import estimate
from stability.questions.contents import contents_of
from stability.reading.frames import StudyFrames, with_event_flags, with_last_visit
from stability.reading.study import Study
from stability.records import Evaluation, Event, Record
from stability.report.export import write_text
from stability.report.page import REPLAY, render
from stability.report.paper import write_tables
from stability.spec import Choice, Config, Design, Range, Run, StudySpec, Training
from stability.store import FilmStrip, LatentView, Plan, PlannedCohort
from stability.store.filmstrips import encode_filmstrip
from stability.store.latent_views import encode_latent_view

HORIZON, EVERY, VISIT = 1000, 20, 100
OUTCOMES = (
    "stable",
    "diverged",
    "saturated",
    "oscillating",
    "collapsed",
    "nearly-stable",
    "learning",
    "noise",
)
LOSSES = ("minimax", "non-saturating", "hinge")
SPACE: dict[str, Range | Choice] = {
    "architecture": Choice(values=("mlp", "dcgan")),
    "loss": Choice(values=LOSSES),
    "lr": Range(low=5e-5, high=1e-2, log=True),
    "lr_ratio": Range(low=0.05, high=20, log=True),
    "beta1": Range(low=0.0, high=0.95),
    "batchnorm": Choice(values=("none", "generator")),
}

MakeStudy = Callable[..., StudyFrames]


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a study with runs of every outcome; its tables lie beside it, in `tables`."""
    folder = tmp_path_factory.mktemp("report")
    frames = synthetic(folder / "results", design=Design(points=8, seeds=2, cross=("loss",)))
    assert set(frames.runs["outcome"]) == set(OUTCOMES)
    estimates = estimate(Study(frames))
    contents = contents_of(estimates)
    write_tables(contents.blocks, folder / "tables")
    text = render(estimates, replay_command=REPLAY, contents=contents)
    return write_text(folder / "synthetic.html", text)


@pytest.fixture
def make_study(tmp_path: Path) -> MakeStudy:
    """Build a study; what is not said is as in `synthetic`."""

    def make(**changes: Any) -> StudyFrames:
        return synthetic(tmp_path / "results", **changes)

    return make


def synthetic(
    folder: Path,
    *,
    space: dict[str, Range | Choice] | None = None,
    design: Design | None = None,
    training: Training | None = None,
    finished: int | None = None,
    events: bool = True,
    reason: str = "",
    name: str = "synthetic",
) -> StudyFrames:
    """A study whose runs all have planted outcomes; `finished` runs of the plan have frames."""
    space = SPACE if space is None else space
    design = design or Design(sampler="sobol", points=6, seeds=2, cross=("loss",))
    training = training or Training(steps=HORIZON, stop_on=("diverged",))
    spec = StudySpec(name=name, space=space, fixed={"batch_size": 64}, design=design, training=training)
    generator = np.random.default_rng(3)
    planned = plan_runs(spec, generator)
    plan = Plan(
        1, 2, "cpu", training.steps, (PlannedCohort("c0", tuple(run.run for run in planned)),), tuple(planned)
    )
    done = planned[:finished]
    outcomes = [planted_outcome(run, generator) for run in done]
    pairs = list(zip(done, outcomes, strict=True))
    records = frame(Record, [row for run, outcome in pairs for row in course(run, outcome, generator)])
    visits = frame(Evaluation, [row for run, outcome in pairs for row in visit_rows(run, outcome, generator)])
    happened = frame(
        Event, [event_row(run, outcome) for run, outcome in pairs if events and outcome in EVENTS]
    )
    happened = happened.astype({"recovery": "Int64"})
    runs = run_rows(pairs, reason)
    write_filmstrips(folder, pairs, generator)
    write_latent_views(folder, pairs)
    return StudyFrames(
        name,
        spec,
        plan,
        with_last_visit(with_event_flags(runs, happened), visits),
        records,
        visits,
        happened,
        folder,
    )


EVENTS = {
    "collapsed": "collapse",
    "oscillating": "collapse",
    "saturated": "saturation",
    "nearly-stable": "mode_dropping",
}


def frame(kind: type, rows: list[dict[str, Any]]) -> pd.DataFrame:
    names = [field.name for field in dataclasses.fields(kind) if field.name != "sized"]
    return pd.DataFrame(rows, columns=[*names, *(["fid_mnist_cnn_1024"] if kind is Evaluation else [])])


def plan_runs(spec: StudySpec, generator: np.random.Generator) -> list[Run]:
    crossed = [name for name in (spec.design.cross or ()) if name in spec.space]
    runs = []
    for point in range(spec.design.points):
        drawn = {key: draw(domain, generator) for key, domain in spec.space.items() if key not in crossed}
        combinations: list[dict[str, Any]] = [{}]
        for factor in crossed:
            domain = spec.space[factor]
            assert isinstance(domain, Choice)
            combinations = [{**other, factor: level} for other in combinations for level in domain.values]
        for levels in combinations:
            trial = "-".join([f"p{point:03d}", *(str(level) for level in levels.values())])
            known = {key: value for key, value in (drawn | levels).items() if not str(value).startswith("<")}
            for replicate in range(spec.design.seeds):
                runs.append(
                    Run(
                        run=f"{trial}-s{replicate}" if "<" not in trial else f"p{point:03d}-s{replicate}",
                        point=point,
                        trial=trial,
                        replicate=replicate,
                        seed=1000 * point + replicate,
                        config=Config(**known),
                        levels=drawn | levels,
                        adaptive=spec.design.sampler == "tpe",
                    )
                )
    return runs


def draw(domain: Range | Choice, generator: np.random.Generator) -> Any:
    if isinstance(domain, Choice):
        return domain.values[int(generator.integers(len(domain.values)))]
    if domain.log:
        return float(np.exp(generator.uniform(np.log(domain.low), np.log(domain.high))))
    return float(generator.uniform(domain.low, domain.high))


def planted_outcome(run: Run, generator: np.random.Generator) -> str:
    """Mostly stable at small lr and moderate ratio, everything else elsewhere."""
    config = run.config
    badness = abs(np.log10(config.lr_ratio)) + 1.2 * (np.log10(config.lr) + 4) + (config.loss == "minimax")
    weights = np.array([max(0.2, 3 - badness), 0.6, 1.2, 0.3, 0.8, 0.3, 0.5, 0.4])
    return str(generator.choice(OUTCOMES, p=weights / weights.sum()))


def last_step(outcome: str) -> int:
    return 420 if outcome == "diverged" else HORIZON


def course(run: Run, outcome: str, generator: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for step in range(EVERY, last_step(outcome) + 1, EVERY):
        late = step / HORIZON
        shut = outcome == "saturated" and step > 300
        wobble = float(np.exp(generator.normal(0, 0.25)))
        rows.append(
            {
                "run": run.run,
                "step": step,
                "loss_d": np.inf
                if outcome == "diverged" and step == 420
                else (1e-6 if shut else 1.1 * wobble),
                "loss_g": 40.0 * late * wobble if shut else 0.9 * wobble,
                "separation": 1.0 if shut else min(1.0, 0.78 + 0.06 * float(generator.normal())),
                "grad_norm_g": 223.0 * wobble if shut else 0.5 * wobble,
                "grad_norm_d": 0.0 if shut else 1.8 * wobble,
                "generator_update": 0.3 * wobble,
                "discriminator_update": 2e-4 * wobble if shut else 0.4 * wobble,
            }
        )
    return rows


def visit_rows(run: Run, outcome: str, generator: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for step in range(VISIT, last_step(outcome) + 1, VISIT):
        healthy = outcome == "stable" or (outcome in EVENTS and step < 500) or outcome == "nearly-stable"
        ratio = (60 * np.exp(-4 * step / HORIZON) + 6) if healthy else 55 + 30 * step / HORIZON
        seen = float(ratio * np.exp(generator.normal(0, 0.1)))
        rows.append(
            {
                "run": run.run,
                "step": step,
                "n_samples": 1024,
                "features": "mnist_cnn",
                "fid_floor": 14.1,
                "fid_ratio": seen,
                "fid_excess": (seen - 1) / 200,
                "modes": 10 - int(step < 300) if healthy else 1,
                "n_modes": 10,
                "effective_modes": 9.2 if healthy else 1.4,
                "precision": 0.6 if healthy else 0.02,
                "recall": 0.4 if healthy else 0.0,
                "diversity": 0.9 if healthy else 0.08,
                "separation": 0.8 if healthy else 1.0,
                "fid_mnist_cnn_1024": float(ratio * 14.1),
            }
        )
    return rows


def event_row(run: Run, outcome: str) -> dict[str, Any]:
    return {
        "run": run.run,
        "kind": EVENTS[outcome],
        "onset": 500 if outcome != "saturated" else 300,
        "recovery": 700 if outcome == "oscillating" else None,
        "evidence": "modes 10 to 1, diversity .08"
        if outcome != "saturated"
        else "separation 1, update of D 2e-4",
        "provisional": outcome == "nearly-stable",
        "never_good": False,
    }


def run_rows(pairs: list[tuple[Run, str]], reason: str) -> pd.DataFrame:
    rows = [
        {
            "run": run.run,
            "point": run.point,
            "trial": run.trial,
            "replicate": run.replicate,
            "seed": run.seed,
            "adaptive": run.adaptive,
            "cohort": "c0",
            **run.config.model_dump(),
            **run.levels,
            "lr_d": run.config.discriminator.lr,
            "lr_g": run.config.generator.lr,
            "outcome": outcome,
            "step": last_step(outcome),
            "reason": reason
            or f"planted as {outcome}, to see how a sentence about the reason looks in the page",
            "stopped": outcome == "diverged",
            "divergence_step": 412 if outcome == "diverged" else None,
            "divergence_tensor": "loss_d" if outcome == "diverged" else None,
            "seconds": 12.25 + run.point,
            "processor": "One CPU",
        }
        for run, outcome in pairs
    ]
    columns = [
        "run",
        "point",
        "trial",
        "replicate",
        "seed",
        "adaptive",
        "cohort",
        *Config.model_fields,
    ]
    ends = [
        "outcome",
        "step",
        "reason",
        "stopped",
        "divergence_step",
        "divergence_tensor",
        "seconds",
        "processor",
    ]
    return pd.DataFrame(rows, columns=[*columns, *ends]).astype({"divergence_step": "Int64"})


def write_filmstrips(folder: Path, pairs: list[tuple[Run, str]], generator: np.random.Generator) -> None:
    target = folder / "cohorts" / "c0" / "filmstrips"
    target.mkdir(parents=True, exist_ok=True)
    height = np.arange(28)[:, None]
    for run, outcome in pairs:
        steps = tuple(range(VISIT, last_step(outcome) + 1, VISIT))
        images = np.zeros((len(steps), 8, 28, 28, 1), dtype=np.uint8)
        for visit, image in np.ndindex(len(steps), 8):
            noise = generator.integers(0, 90, size=(28, 28))
            stroke = 160 * (abs(height - 6 - 2 * (image if outcome == "stable" else 3)) < 3)
            images[visit, image, :, :, 0] = np.clip(noise / (visit + 1) + stroke, 0, 255).astype(np.uint8)
        (target / f"{run.run}.png").write_bytes(encode_filmstrip(FilmStrip(steps, images)))


def write_latent_views(folder: Path, pairs: list[tuple[Run, str]]) -> None:
    """A bar that moves down from row to row and turns to the right from column to column."""
    target = folder / "cohorts" / "c0" / "latent"
    target.mkdir(parents=True, exist_ok=True)
    height, width = np.mgrid[:28, :28]
    for run, outcome in pairs:
        images = np.zeros((6, 8, 28, 28, 1), dtype=np.uint8)
        for row, column in np.ndindex(6, 8):
            tilt = 0 if outcome == "collapsed" else 0.1 * column
            away = np.abs(height - 4 - 3 * row - tilt * (width - 14) - run.replicate)
            images[row, column, :, :, 0] = 220 * (away < 2.5)
        view = LatentView("interpolation", "normal", 100, images)
        (target / f"{run.run}.png").write_bytes(encode_latent_view(view))

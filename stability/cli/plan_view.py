"""A study's plan before anything is trained: for people, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import typer
from rich.filesize import decimal

from stability.cli.display import duration
from stability.design.plan import make_plan
from stability.gan.training.placement import Placement
from stability.outcomes.horizons import horizon_notes
from stability.outcomes.stop_rule import stop_rule_note
from stability.questions.power.estimate import OTHER_LEVEL, SAME_LEVEL, outlook, sizes_of
from stability.reading.factors import level_text
from stability.runner.calibration import estimate_time
from stability.runner.devices import prepare
from stability.runner.engines.options import Cluster
from stability.runner.kept import kept_state_bytes
from stability.runner.materials import DATASET, Materials, Resources
from stability.runner.worker_layout import Layout, new_layout, on_cluster
from stability.spec import Choice, Range, StudySpec
from stability.spec.config import ADAMS
from stability.spec.expand import doubts
from stability.store import Plan


def summarise(
    spec: StudySpec,
    resources: Resources,
    *,
    timing: bool,
    where: str = DATASET,
    cluster: Cluster | None = None,
) -> dict[str, Any]:
    """Everything the plan says, as plain values.

    Raises StabilityError where data, classifier or device are missing.
    """
    options = None if cluster is None else cluster.options
    resources = resources if options is None else on_cluster(resources, options)
    layout = new_layout(spec, resources, options)
    device = layout.here
    prepare(layout.threads, tf32=spec.training.tf32)
    materials = Materials.load(spec, resources, device, where=where)
    dataset = materials.dataset
    examples = "images" if dataset.problem is None else "points"
    plan = make_plan(spec, device=str(layout.device(0)), threads=layout.threads)
    doubtful = Counter(words for run in plan.runs for words in doubts(run.config))
    search = spec.design.sampler == "tpe"
    summary: dict[str, Any] = {
        "study": spec.name,
        "dataset": f"{dataset.name}, {len(dataset.train):,} training {examples}",
        "metrics": f"features of {materials.describer.name}",
        **_design(spec),
        "runs": "planned round by round" if search else len(plan.runs),
        "cohorts": "planned round by round" if search else len(plan.cohorts),
        "horizon": plan.horizon,
        "visits": -(-plan.horizon // spec.recording.evaluate_every),
        "stop_on": list(spec.training.stop_on),
        "thresholds": spec.outcomes.model_dump(mode="json"),
        "doubtful": dict(doubtful),
        "advice": _advice_on(spec, len(dataset.classes)),
        "device": plan.device,
        "threads": plan.threads,
        "processes": layout.workers,
    }
    if not search:
        summary["can_tell"] = outlook(sizes_of(spec, len({run.point for run in plan.runs})))
    if spec.recording.keep_state and plan.runs:
        summary["kept_state_bytes"] = kept_state_bytes(plan, dataset, Placement(device))
    if timing and plan.cohorts:
        seconds = _seconds(plan, spec, materials, layout)
        summary["estimated_seconds"] = seconds
        if options is not None:
            cohorts = len(plan.cohorts)
            summary["jobs"] = options.jobs(cohorts, seconds["total"] / cohorts)
    return summary


def _design(spec: StudySpec) -> dict[str, Any]:
    return {
        "sampler": spec.design.sampler,
        "points": spec.n_points,
        "sampled": {name: _factor(factor) for name, factor in spec.sampled.items()},
        "crossed": {name: _factor(spec.factors[name]) for name in spec.crossed},
        "variants": {name: _listed(values) for name, values in spec.variants.items()},
        "configs": {name: _listed(values) for name, values in spec.configs.items()},
        "seeds": spec.design.seeds,
    }


def _seconds(plan: Plan, spec: StudySpec, materials: Materials, layout: Layout) -> dict[str, float]:
    evaluator = materials.evaluator(spec, partial(typer.echo, err=True))
    placement = Placement.of(spec.training, layout.here)
    estimate = estimate_time(plan, spec, evaluator, placement, layout.workers)
    parts = {"training": estimate.training, "evaluation": estimate.evaluation, "total": estimate.total}
    return {name: round(seconds, 1) for name, seconds in parts.items()}


def _advice_on(spec: StudySpec, classes: int) -> list[str]:
    return [*_advice(spec), *_advice_on_modes(spec, classes), *_advice_on_stops(spec), *horizon_notes(spec)]


def _factor(factor: Any) -> str:
    if isinstance(factor, Range):
        return f"{factor.low:g} to {factor.high:g}" + (", log" if factor.log else "")
    return ", ".join(map(str, factor.values))


def _listed(values: Mapping[str, Any]) -> str:
    """What a variant or a configuration sets."""
    return ", ".join(f"{name} {level_text(value)}" for name, value in values.items()) or "nothing"


def _advice(spec: StudySpec) -> list[str]:
    points, advice = spec.design.points, []
    if spec.design.sampler == "sobol" and points & (points - 1):
        advice.append(f"sobol fills space evenly at powers of two; {points} points is not one")
    if spec.design.sampler == "tpe":
        advice.append("tpe searches: its runs are shown, but no rate is estimated from them")
        if spec.recording.keep_state:
            advice.append("recording.keep_state is of no use to tpe: its steps cannot grow")
    betas = {name for name in spec.space if name.startswith(("beta1", "beta2"))}
    if betas and not set(_values(spec, "optimizer")) <= set(ADAMS):
        advice.append("beta1 and beta2 are Adam's: to rmsprop and sgd it makes no difference what was drawn")
    if spec.recording.every > spec.recording.evaluate_every:
        advice.append(
            "recording.every is larger than evaluate_every: saturation needs records at every visit"
        )
    if spec.training.steps < spec.outcomes.persist * spec.recording.evaluate_every:
        advice.append(f"fewer than persist = {spec.outcomes.persist} visits: nothing can be saturated")
    return advice


def _values(spec: StudySpec, beginning: str) -> Iterator[Any]:
    """What a study gives the parameters that begin with this word."""
    for name, value in {**spec.fixed, **spec.space}.items():
        if name.startswith(beginning):
            yield from value.values if isinstance(value, Choice) else (value,)


def _advice_on_modes(spec: StudySpec, modes: int) -> list[str]:
    """A visit cannot find more modes than its samples reach, however good they are."""
    samples = spec.recording.samples
    reached = 1 - (1 - 1 / modes) ** samples
    if reached >= spec.outcomes.stable_modes:
        return []
    return [
        f"{samples:,} samples reach about {reached:.0%} of {modes:,} modes even if they are real: "
        f"nothing can be stable at stable_modes {spec.outcomes.stable_modes:g}; raise recording.samples"
    ]


def _advice_on_stops(spec: StudySpec) -> list[str]:
    """How often the rule of an early stop was wrong where it was measured."""
    note = stop_rule_note(spec)
    return [] if note is None else [note]


def _threshold(value: float | list[str]) -> str:
    return f"{value:g}" if isinstance(value, int | float) else ", ".join(value)


def _count(number: int, word: str, plural: str = "s") -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}{plural}"


def _can_tell(found: dict[str, Any]) -> list[str]:
    """What the design can tell: its power, and the width of one rate's interval."""
    unit, lines = found["unit"], []
    for told in found["told"]:
        (first, second), needed = told["shares"], told[f"{unit}s_needed"]
        takes = (
            f"80% takes about {needed:,} {unit}s" if needed else f"more {unit}s than can be trained for 80%"
        )
        lines.append(
            f"  tells      {second:g} from {first:g} in {told['power']:.0%} of such studies; {takes}"
        )
    if lines:
        alike = f"runs of a point correlate by {SAME_LEVEL:g}, of two levels by {OTHER_LEVEL:g} (probit)"
        assumed = alike if unit == "point" else "seeds are independent"
        lines.append(
            f"             any of {_count(found['pairs'], 'pair')} of {found['factor']}, Holm; "
            f"assumed: {assumed}"
        )
    half = ", ".join(f"{share} +- {width:.2f}" for share, width in found["half_width"].items())
    over = "" if unit == "point" else ", over seeds, not settings"
    return [*lines, f"  one rate   {half} (95% interval{over})"]


def as_text(summary: dict[str, Any]) -> str:
    """The same in lines."""
    lines = [f"{summary['study']}: a valid study"]
    for name in ("dataset", "metrics", "sampler", "points"):
        lines.append(f"  {name:<11}{summary[name]}")
    for kind in ("sampled", "crossed", "variants", "configs"):
        lines += [f"  {kind:<11}{name}: {values}" for name, values in summary[kind].items()]
    for name in ("seeds", "runs", "cohorts", "horizon", "visits"):
        lines.append(f"  {name:<11}{summary[name]}")
    lines.append(f"  {'stop_on':<11}{', '.join(summary['stop_on']) or 'nothing'}")
    work = f"{_count(summary['processes'], 'process', 'es')} with {_count(summary['threads'], 'thread')}"
    lines.append(f"  {'device':<11}{summary['device']}, {work}{' each' * (summary['processes'] > 1)}")
    lines += _can_tell(summary["can_tell"]) if "can_tell" in summary else []
    if "kept_state_bytes" in summary:
        size = decimal(summary["kept_state_bytes"])
        lines.append(f"  {'keep_state':<11}{size} on disk, from which the study can be lengthened")
    lines.append("thresholds (any of them can be set under outcomes)")
    lines += [f"  {name:<25}{_threshold(value)}" for name, value in summary["thresholds"].items()]
    lines += [f"note: {count} runs: {words}" for words, count in summary["doubtful"].items()]
    lines += [f"note: {words}" for words in summary["advice"]]
    if "estimated_seconds" in summary:
        seconds = summary["estimated_seconds"]
        lines.append(
            f"about {duration(seconds['total'])} on this device if no run stops early "
            f"({duration(seconds['training'])} training, {duration(seconds['evaluation'])} evaluation)"
        )
        lines += [_jobs(summary["jobs"])] if "jobs" in summary else []
    return "\n".join(lines)


def _jobs(jobs: dict[str, Any]) -> str:
    """How many jobs of how long, each as fast as this machine."""
    text = f"{_count(jobs['jobs'], 'job')} on {jobs['engine']} of about {duration(jobs['seconds'])} each"
    if "in_all" in jobs:
        text += f", {jobs['at_once']} at a time: about {duration(jobs['in_all'])} when none waits"
        if jobs["seconds"] > jobs["limit"]:
            text += f"; queued again every {duration(jobs['limit'])}"
    return text

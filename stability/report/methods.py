"""How a study was made, as a paper says it: one paragraph to paste, and what to cite."""

from __future__ import annotations

from typing import Any

from stability import __version__
from stability.errors import StabilityError
from stability.page_kit.words import listed, number, plural
from stability.reading.study import Study
from stability.report.facts import SAMPLERS, prior
from stability.store import Store

LIBRARIES = ("torch", "numpy", "scipy")
DIGITS = 12
"""Of a digest, which is enough to tell files apart."""
UNIT = {
    "point": "points are the units, since the seeds and crossed levels of one are not independent",
    "seed": "seeds are the units, so that nothing is said of settings that were not trained",
}


def methods(study: Study) -> str:
    """The design, what was measured, the rules, the estimates and the digests, in sentences."""
    environment = _environment(study)
    parts = [_trained(study, environment), _measured(study), _rules(study), _estimates(study)]
    return " ".join(part for part in [*parts, _digests(environment)] if part)


def citation() -> str:
    """The toolkit as an entry of BibTeX."""
    return (
        "@software{stability,\n  author = {{The stability authors}},\n  title = {stability: which {GAN} "
        "hyperparameters train stably, how sure are we, and what goes wrong elsewhere},\n  version = "
        f"{{{__version__}}},\n"
        "}"
    )


def _environment(study: Study) -> dict[str, Any]:
    """What the study was started with; nothing where that was not kept."""
    try:
        return Store(study.frames.folder, study.frames.plan).environment
    except StabilityError:
        return {}


def _trained(study: Study, environment: dict[str, Any]) -> str:
    frames, spec = study.frames, study.frames.spec
    plan, design = frames.plan, spec.design
    libraries = environment.get("libraries", {})
    with_ = listed([f"{name} {libraries[name]}" for name in LIBRARIES if name in libraries])
    where = f"stability {environment.get('stability', __version__)}" + (f" ({with_})" if with_ else "")
    rows = prior(study)
    space = "; ".join(f"{row.name} {row.values} ({row.how})" for row in rows if row.how != "fixed")
    fixed = ", ".join(f"{row.name} {row.values}" for row in rows if row.how == "fixed")
    n_points = len({run.point for run in plan.runs})
    return (
        f"We trained {plural(len(plan.runs), 'GAN')} on {spec.dataset} with {where}, for "
        f"{plural(spec.training.steps, 'generator step')} each. The design has {plural(n_points, 'point')} "
        f"with {plural(design.seeds, 'seed')} each; sampler: {SAMPLERS[design.sampler]}"
        + (f"; parameters: {space}." if space else ".")
        + (f" Fixed were {fixed}; everything else kept its default." if fixed else "")
    )


def _measured(study: Study) -> str:
    spec, visits = study.frames.spec, study.frames.evaluations
    features = sorted(set(visits["features"])) if len(visits) else []
    with_ = f" with the features of {listed(features)}" if features else ""
    stop = listed(spec.training.stop_on, "or")
    return (
        f"Every {spec.recording.evaluate_every:,} steps {spec.recording.samples:,} samples were compared "
        f"with real examples{with_}." + (f" A run was stopped once it was {stop}." if stop else "")
    )


def _rules(study: Study) -> str:
    thresholds = study.frames.spec.outcomes
    values = ", ".join(
        f"{name} {number(value)}" for name, value in thresholds if not isinstance(value, tuple)
    )
    measures = listed(thresholds.measures)
    return f"Each run has one outcome, by fixed rules on {measures} with the thresholds {values}."


def _estimates(study: Study) -> str:
    if not study.estimable:
        return "Points were chosen in the light of earlier results, so that no rate is estimated."
    return (
        "Shares of runs have 95% Wilson intervals at an effective number of runs; in all estimates "
        f"{UNIT[study.unit]}. Levels are compared within units, with Bonferroni intervals and Holm p-values."
    )


def _digests(environment: dict[str, Any]) -> str:
    found = [
        f"{name} {environment[name]['sha256'][:DIGITS]}"
        for name in ("study", "dataset", "classifier")
        if environment.get(name, {}).get("sha256")
    ]
    return f"SHA-256 digests begin with: {listed(found)}." if found else ""

"""A study file edited after its study was begun: what it adds is trained, what it changes is refused.

What may be added leaves every planned run as it is: more points, more seeds, more levels of a crossed factor,
more variants beside the same baseline, more configurations after the others.
Where every run's last state is kept, the horizon may grow, too: all runs go on to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stability.design import draw_points, plan_runs
from stability.design.plan import extended
from stability.errors import StabilityError
from stability.spec import Choice, Run, StudySpec
from stability.spec.problems import show
from stability.store import Plan

SHOWN = 8
"""Changed fields that a refusal names, at most."""
ABSENT = "nothing"
HORIZON = "training.steps"


@dataclass(frozen=True, slots=True)
class Change:
    """A field of the study file that says something else now."""

    field: str
    """Dotted, such as `space.lr.high`."""
    was: Any
    """None where it was not there."""
    now: Any

    def in_words(self) -> str:
        """`space.lr.high: 0.01 -> 0.02`."""
        was, now = _shown(self.was), _shown(self.now)
        if was == now:  # alike as far as they are shown
            was, now = repr(self.was), repr(self.now)
        return f"{self.field}: {was} -> {now}"


def as_begun(asked: StudySpec, kept: StudySpec) -> StudySpec:
    """The study with the thresholds that it was begun with wherever its file names none: defaults change."""
    unsaid = {name: value for name, value in kept.outcomes if name not in asked.outcomes.model_fields_set}
    return asked.model_copy(update={"outcomes": asked.outcomes.model_copy(update=unsaid)})


def changed_fields(kept: StudySpec, asked: StudySpec) -> tuple[Change, ...]:
    """Every field in which two studies differ, in the order of the study file."""
    was, now = _fields(kept), _fields(asked)
    names = [*was, *(name for name in now if name not in was)]
    return tuple(
        Change(name, was.get(name), now.get(name))
        for name in names
        if was.get(name) != now.get(name) or (name in was) != (name in now)
    )


def check_extension(kept: StudySpec, asked: StudySpec, folder: Path) -> tuple[Change, ...]:
    """The changes, when all of them are additions that leave every planned run as it is.

    Raises StabilityError naming the fields that change anything else.
    """
    changes = changed_fields(kept, asked)
    refused = [change for change in changes if not _is_addition(change, kept, asked)]
    if longer := next((change for change in refused if _is_longer(change, kept)), None):
        raise StabilityError(
            f"{folder}: its runs kept no state to go on from ({longer.in_words()}); change it back, or begin "
            "the longer study in a folder of its own with --fork FOLDER, and with recording.keep_state: true "
            "if it may grow again"
        )
    if refused and all(change.field.startswith("outcomes.") for change in refused):
        raise StabilityError(
            f"{folder}: was labelled with other thresholds ({_listed(refused)}); "
            "apply new ones with `stability relabel`"
        )
    if refused:
        raise StabilityError(
            f"{folder}: was begun otherwise, and its runs would not compare: {_listed(refused)}; "
            "change them back, or begin the new study in a folder of its own with --fork FOLDER"
        )
    return changes


def extended_plan(plan: Plan, asked: StudySpec) -> Plan:
    """The plan with every run that the longer study adds, in cohorts of their own.

    A search plans its own points, so its plan stays. Raises StabilityError where this version would draw a
    planned run otherwise, so that the additions would not belong to the same design.
    """
    if asked.design.sampler == "tpe":
        return plan
    planned = {run.run: run for run in plan.runs}
    runs = plan_runs(asked, draw_points(asked))
    for run in runs:
        if run.run in planned and planned[run.run] != run:
            raise StabilityError(
                f"{run.run}: is drawn otherwise here ({_first_difference(planned[run.run], run)}), "
                "so the study cannot be extended by this version"
            )
    if strangers := set(planned) - {run.run for run in runs}:
        raise StabilityError(f"{sorted(strangers)[0]}: is planned, but is no run of the longer study")
    longer = replace(plan, horizon=asked.training.steps)
    return extended(longer, asked, [run for run in runs if run.run not in planned])


def as_fields(changes: tuple[Change, ...]) -> dict[str, dict[str, Any]]:
    """The changes as JSON values, to be kept with the environment."""
    return {change.field: {"was": change.was, "is": change.now} for change in changes}


def _is_addition(change: Change, kept: StudySpec, asked: StudySpec) -> bool:
    sampler = kept.design.sampler
    rule = ADDITIONS.get(change.field)
    if _is_longer(change, kept) and not kept.recording.keep_state:
        return False
    if rule is not None:
        return sampler in rule[0] and rule[1](change.was, change.now)
    section, *name = change.field.split(".")
    if name and section in NAMED:
        return name[0] not in NAMED[section](kept)  # the list of names has a rule of its own
    parameter = change.field.removeprefix("space.")
    is_crossed = parameter in kept.crossed and parameter in asked.crossed
    if not is_crossed or not (isinstance(change.was, tuple) and isinstance(change.now, tuple)):
        return False
    return sampler != "tpe" and set(change.was) <= set(change.now)


def _is_longer(change: Change, kept: StudySpec) -> bool:
    """Whether it asks for more steps, and states would be enough to go on."""
    return change.field == HORIZON and kept.design.sampler != "tpe" and _grows(change.was, change.now)


def _grows(was: int, now: int) -> bool:
    return now > was


def _keeps_baseline(was: tuple[str, ...] | None, now: tuple[str, ...] | None) -> bool:
    return was is not None and now is not None and was[0] == now[0] and set(was) <= set(now)


def _goes_on(was: tuple[str, ...] | None, now: tuple[str, ...] | None) -> bool:
    return was is not None and now is not None and was == now[: len(was)]


ADDITIONS: dict[str, tuple[tuple[str, ...], Callable[[Any, Any], bool]]] = {
    "design.points": (("sobol", "random", "given", "tpe"), _grows),
    "design.seeds": (("sobol", "random", "grid", "given"), _grows),
    "variants": (("sobol", "random", "grid", "given"), _keeps_baseline),
    "configs": (("given",), _goes_on),
    HORIZON: (("sobol", "random", "grid", "given"), _grows),
}
"""By field: with which samplers it may change, and how. A grid's points follow from its levels; a search's
next points from all seeds and levels of those before, and from how those ended."""
NAMED: dict[str, Callable[[StudySpec], Mapping[str, Any]]] = {
    "variants": lambda spec: spec.variants,
    "configs": lambda spec: spec.configs,
}
"""Sections whose names are levels; their fields are each name's parameters, and the list of names."""


def _fields(spec: StudySpec) -> dict[str, Any]:
    """Dotted fields of the study file; a list is one value, a range has fields of its own."""
    data = spec.model_dump(exclude={"space"}) | {"fixed": dict(spec.fixed)}
    data["design"]["cross"] = spec.crossed
    data["space"] = {
        name: factor.values if isinstance(factor, Choice) else factor.model_dump(exclude={"integer"})
        for name, factor in spec.space.items()
    }
    named = {section: dict(names(spec)) for section, names in NAMED.items()}
    fields = _flat({name: (data | named)[name] for name in StudySpec.model_fields})
    return fields | {section: tuple(names) for section, names in named.items() if names}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            fields |= _flat(value, f"{prefix}{name}.")
        else:
            fields[f"{prefix}{name}"] = value
    return fields


def _listed(changes: list[Change]) -> str:
    words = [change.in_words() for change in changes[:SHOWN]]
    more = len(changes) - len(words)
    return ", ".join([*words, f"and {more} more"] if more else words)


def _shown(value: Any) -> str:
    if value is None:
        return ABSENT
    return f"[{', '.join(map(show, value))}]" if isinstance(value, tuple) else show(value)


def _first_difference(planned: Run, drawn: Run) -> str:
    was, now = planned.config.model_dump(), drawn.config.model_dump()
    for name in was:
        if was[name] != now[name]:
            return f"{name}: {show(was[name])} -> {show(now[name])}"
    return f"seed: {planned.seed} -> {drawn.seed}"

"""Two studies side by side: what they set differently, their rates, the differences. Frame in, frame out.

A study that tried a level which the other did not would differ for that alone. So rates and differences are
over the runs at those levels of every categorical factor that both studies have.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from stability.questions.comparison.estimate import Family, compare_levels
from stability.questions.two_studies.transfer import TRANSFER_COLUMNS, transfer
from stability.reading.factors import crossed_factors, level_text, numeric, with_text_levels
from stability.reading.factors import levels as listed_levels
from stability.reading.study import Study
from stability.spec import StudySpec
from stability.statistics.paired_tests import holm
from stability.statistics.rates import RATED, SUCCESS, designed, rate

SIDE_BY_SIDE = (SUCCESS, "diverged", "collapse_ever", "saturation_ever")
"""The outcomes and events whose difference is estimated; of all others the rates stand side by side."""

ALL_RUNS = "all runs"
SEED = 20

Both = tuple[pd.DataFrame, pd.DataFrame]
"""Runs of the first and of the second study."""


@dataclass(frozen=True)
class Versus:
    """What two studies say together."""

    first: Study
    second: Study
    names: tuple[str, str]
    """The studies' names, told apart where they are the same."""
    factor: str | None
    """The factor whose levels both studies have: the first one's main factor, None where none is shared."""
    levels: tuple[str, ...]
    """First all runs that are compared, named so that left out levels show; then the factor's shared levels,
    where there are several."""
    shared: dict[str, tuple[str, ...]]
    """The levels that both studies have, for every categorical factor; none where they share none, and then
    all runs are compared."""
    paired: bool
    """Whether both trained the same points, so that differences are taken point by point."""
    settings: pd.DataFrame
    """What the two studies set differently: `setting, first, second`, as text."""
    rates: pd.DataFrame
    """`study, level, event` and the columns of `rate`."""
    differences: pd.DataFrame
    """`level, event` and the columns of `compare_levels`: the first study's share minus the second's, with
    intervals that hold for all rows at once (Bonferroni) and Holm's p-values over all rows."""
    transfer: pd.DataFrame
    """Whether what holds in one holds in the other, `transfer`'s rows; none where their points differ."""

    def tables(self) -> dict[str, pd.DataFrame]:
        """The frames for JSON and CSV."""
        return {
            "settings": self.settings,
            "rates": self.rates,
            "differences": self.differences,
            "transfer": self.transfer,
        }


def versus(first: Study, second: Study) -> Versus:
    """Set two studies side by side, level by level of a factor that both compare; the units are points."""
    first, second = (replace(study, as_unit="point") for study in (first, second))
    names = _names(first, second)
    factor = first.main_factor if first.main_factor in second.factors else None
    shared = shared_levels(first, second)
    common = shared.get(factor, ()) if factor else ()
    own = [level for level in first.order(factor) if level in second.order(factor)] if factor else []
    told = [level for level in own if level in common and len(common) > 1]
    levels = (_whole_name((first, second), shared), *told)
    parts = _parts((_at_shared(first, shared), _at_shared(second, shared)), factor, levels)
    paired = same_points(first, second)
    one, other = map(designed, parts[levels[0]])
    return Versus(
        first=first,
        second=second,
        names=names,
        factor=factor,
        levels=levels,
        shared=shared,
        paired=paired,
        settings=differing_settings(first.frames.spec, second.frames.spec),
        rates=_rates(parts, names),
        differences=_differences(parts, paired=paired, varied=_common(shared)),
        transfer=transfer(one, other, _common(shared)) if paired else pd.DataFrame(columns=TRANSFER_COLUMNS),
    )


def shared_levels(first: Study, second: Study) -> dict[str, tuple[str, ...]]:
    """Levels that both studies have, as text, for every factor that at least one compares.

    A study that fixed the factor has the level of its runs; one that crosses it those with finished runs,
    adaptive ones aside; one whose points draw a level all that it lists, seen or not. A factor that a study
    drew from a range is left out.
    """
    names = dict.fromkeys([*first.factors, *second.factors])
    drawn = {*numeric(first.frames.spec, first.runs), *numeric(second.frames.spec, second.runs)}
    found = {}
    for name in names:
        if name not in drawn and name in first.runs and name in second.runs:
            theirs = _levels_of(second, name)
            found[name] = tuple(level for level in _levels_of(first, name) if level in theirs)
    return found


def _levels_of(study: Study, factor: str) -> tuple[str, ...]:
    """A factor's levels in a study as `shared_levels` has them, in the study file's order."""
    runs = designed(study.runs)
    seen = dict.fromkeys(level_text(level) for level in runs[factor])
    if factor not in study.factors:
        return tuple(seen)
    spec = study.frames.spec
    unseen_too = factor not in crossed_factors(spec)
    return tuple(level for level in listed_levels(spec, factor) if unseen_too or level in seen)


def _at_shared(study: Study, shared: dict[str, tuple[str, ...]]) -> pd.DataFrame:
    """The runs at levels that both studies have, the factors as text."""
    runs = with_text_levels(study.runs, tuple(shared))
    for name in _common(shared):
        runs = runs[runs[name].isin(shared[name])]
    return runs


def _common(shared: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(name for name, levels in shared.items() if levels)


def _whole_name(studies: tuple[Study, Study], shared: dict[str, tuple[str, ...]]) -> str:
    """`all runs`, or `all runs of hinge, minimax` where a study has runs at other levels."""
    cut = [
        name
        for name in _common(shared)
        if any(set(_levels_of(study, name)) - {*shared[name]} for study in studies)
    ]
    told = [f"{'' if name == 'loss' else f'{name} '}{', '.join(shared[name])}" for name in cut]
    return f"{ALL_RUNS} of {'; '.join(told)}" if told else ALL_RUNS


def same_points(first: Study, second: Study) -> bool:
    """Whether points of one number have the same value of every parameter that both drew from a range."""
    drawn = [
        name
        for name in numeric(first.frames.spec, first.runs)
        if name in numeric(second.frames.spec, second.runs)
    ]
    one, other = (study.runs.groupby("point")[drawn].first() for study in (first, second))
    both = one.dropna().index.intersection(other.dropna().index)
    return bool(drawn and len(both) > 1 and np.array_equal(one.loc[both], other.loc[both]))


def differing_settings(first: StudySpec, second: StudySpec) -> pd.DataFrame:
    """Every key of the study file, the name aside, that the two set differently: `setting, first, second`."""
    one, other = (_flat(spec.model_dump(exclude={"name"})) for spec in (first, second))
    names = [name for name in dict.fromkeys([*one, *other]) if one.get(name) != other.get(name)]
    rows = [(name, one.get(name, "not set"), other.get(name, "not set")) for name in names]
    return pd.DataFrame(rows, columns=["setting", "first", "second"])


def _flat(content: Any, path: str = "") -> dict[str, str]:
    """Nested keys as dotted names; a parameter of the space stays one setting."""
    if not isinstance(content, dict) or path.count(".") >= 1:
        return {path: _as_text(content)}
    rows: dict[str, str] = {}
    for key, value in content.items():
        rows |= _flat(value, f"{path}.{key}" if path else str(key))
    return rows


def _as_text(value: Any) -> str:
    if isinstance(value, dict):
        known = {key: item for key, item in value.items() if item not in (None, False)}
        if set(known) == {"values"}:
            return _as_text(known["values"])
        return ", ".join(f"{key} {_as_text(item)}" for key, item in known.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_as_text, value)) or "none"
    return level_text(value)


def _names(first: Study, second: Study) -> tuple[str, str]:
    names = first.frames.name, second.frames.name
    if names[0] != names[1]:
        return names
    folders = first.frames.folder.resolve().name, second.frames.folder.resolve().name
    return folders if folders[0] != folders[1] else (f"{names[0]} (first)", f"{names[1]} (second)")


def _parts(both: Both, factor: str | None, levels: tuple[str, ...]) -> dict[str, Both]:
    """The two studies' runs, all that are compared and those of each level."""
    parts = {levels[0]: both}
    for level in levels[1:]:
        parts[level] = (both[0][both[0][factor] == level], both[1][both[1][factor] == level])
    return parts


def _rates(parts: dict[str, Both], names: tuple[str, str]) -> pd.DataFrame:
    rows = [
        rate(parts[level][place], event).assign(study=name, level=level, event=event)
        for place, name in enumerate(names)
        for level in parts
        for event in RATED
    ]
    frame = pd.concat(rows, ignore_index=True)
    return frame[["study", "level", "event", *(name for name in frame if name not in _KEYS)]]


_KEYS = ("study", "level", "event")


def _differences(parts: dict[str, Both], *, paired: bool, varied: tuple[str, ...]) -> pd.DataFrame:
    """One row an event and level; a confidence, and p-values, that hold for all rows at once."""
    rng = np.random.default_rng(SEED)
    family = Family(confidence=1 - 0.05 / (len(parts) * len(SIDE_BY_SIDE)))
    rows = []
    for event in SIDE_BY_SIDE:
        for level, both in parts.items():
            runs = _stacked(*both, paired=paired)
            found = compare_levels(
                runs, "study", event, crossed=paired, rng=rng, varied=varied, family=family
            )
            rows.append(found.pairs.assign(level=level, event=event))
    frame = pd.concat(rows, ignore_index=True)
    return frame.assign(p_holm=holm(frame["p"].to_numpy(dtype=np.float64)))


def _stacked(first: pd.DataFrame, second: pd.DataFrame, *, paired: bool) -> pd.DataFrame:
    """The runs of both with a factor `study`; points that are not the same get numbers of their own."""
    if not paired:
        second = second.assign(point=second["point"] + first["point"].max() + 1)
    return pd.concat([first.assign(study="first"), second.assign(study="second")], ignore_index=True)

"""Early warning: which diagnostic foretells how a healthy run ends, and what an early stop would save."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from stability.page_kit.blocks import Block
from stability.page_kit.estimate import Estimate, Row, rows_of, text_of
from stability.page_kit.svg import inline_svg
from stability.page_kit.tables import Column, Table, across, by_two, counts, table
from stability.page_kit.words import capital, plural, share, signed, spaced
from stability.questions.early_warning.estimate import EarlyWarning
from stability.questions.early_warning.figure import auc_panels, rule_panels
from stability.questions.early_warning.landmarks import (
    ALL_DIAGNOSTICS,
    BOTH,
    DIAGNOSTICS,
    FEWEST_POINTS,
    HYPERPARAMETERS,
)
from stability.reading.study import Study

SETS = (BOTH, ALL_DIAGNOSTICS, HYPERPARAMETERS)
STOPPED = {
    "caught": "runs that fail",
    "false_stops": "runs that end well",
    "learning_stops": "runs still learning",
}
"""Whose share is stopped, by quantity of the rule."""


RULE_NOTE = (
    "A run is stopped if its risk, from everything known at that step, passes a bar. The bar is chosen on "
    "other points so that at most {limit} of the runs that end well are stopped (dotted line), and each run "
    "is judged by a model that never saw its point. Saved: updates of both networks after that step in the "
    "stopped runs, of all updates of all runs. Runs still learning at the horizon count as neither good nor "
    "bad, yet they would be stopped, too: their share stands beside. The sentence above is about a step "
    "fixed beforehand, not about the one that saves most. 95% intervals over points."
)
AUC_NOTE = (
    "Healthy at a step: trained past it, and nothing bad could be seen by then: no collapse after having "
    "been good, no saturation that had lasted {lasts}, no divergence. A run that is not good yet counts as "
    "healthy: whether it is slow or has collapsed only its end tells. Each risk comes from a logistic "
    "regression that never saw the run's point (five folds); only runs at different points are compared. "
    "Right: a disc's size is the AUC above .5, full where the whole interval is above it. Runs still "
    "learning at the horizon are left out. 95% intervals over points, each for itself; at least "
    f"{FEWEST_POINTS} points of either end are needed."
)


def warning_blocks(study: Study, warning: EarlyWarning) -> list[Block]:
    """What foretells failure, and what stopping early would save and cost."""
    return [_auc_block(study, warning), _rule_block(study, warning)]


def _auc_block(study: Study, warning: EarlyWarning) -> Block:
    finding = _auc_finding(warning)
    figure = None
    if warning.auc["estimate"].notna().any():
        drawn = auc_panels(warning.auc, SETS, _singles(warning.auc))
        figure = inline_svg(drawn, "early-warning", f"AUC of each predictor over the step. {finding}")
    return Block(
        key="early-warning",
        question="Which diagnostic foretells how a healthy run will end?",
        finding=finding,
        figure=figure,
        note=_auc_note(study, warning),
        tables=(_auc_table(warning), _landmark_table(warning)) if len(warning.landmarks) else (),
        data=warning.auc,
    )


def _rule_block(study: Study, warning: EarlyWarning) -> Block:
    finding = _rule_finding(warning, study.frames.spec.training.steps)
    figure = None
    if warning.rule["estimate"].notna().any():
        drawn = rule_panels(warning.rule, STOPPED, warning.limit)
        alt = f"Share of all updates saved and shares of runs stopped, by the step of stopping. {finding}"
        figure = inline_svg(drawn, "early-stop", alt)
    return Block(
        key="early-stop",
        question="What would stopping the runs at risk save, and how many good ones would it stop?",
        finding=finding,
        figure=figure,
        note=RULE_NOTE.format(limit=share(warning.limit)),
        tables=(_rule_table(warning),) if len(warning.rule) else (),
        data=warning.rule,
    )


def _auc_finding(warning: EarlyWarning) -> str:
    auc = warning.auc
    known = auc[auc["estimate"].notna()]
    if known.empty:
        return _why_not(warning, auc)
    both = known[known["predictor"] == BOTH].sort_values("step")
    clear = both[both["ci_low"] > 0.5]
    if clear.empty:
        row = rows_of(both.sort_values("estimate", kind="stable"))[-1]
        return (
            "Nothing that was recorded foretells failure better than chance, as far as these points can "
            f"tell: everything together reaches an AUC of {text_of(row)} at step {row['step']:,}; .5 is "
            "chance."
        )
    row = rows_of(clear)[0]
    step = int(row["step"])
    here = {one["predictor"]: one for one in rows_of(known[known["step"] == step])}
    first = (
        f"At step {step:,} failure can be foretold: of a healthy run that will fail and one that will end "
        f"well, the one that will fail has the higher risk with probability {text_of(row)} (AUC; .5 is "
        "chance)."
    )
    alone = here.get(HYPERPARAMETERS)
    return " ".join(
        [first, *_later(both, clear, step), *_baseline(warning, step, alone), *_best_single(here)]
    )


def _later(both: pd.DataFrame, clear: pd.DataFrame, step: int) -> list[str]:
    """At how many later steps failure can be foretold, too: each has fewer runs left to judge."""
    later, still = (int((rows["step"] > step).sum()) for rows in (both, clear))
    if not later:
        return []
    if later == 1:
        how = "above chance there, too" if still else "not above chance there"
        return [f"One later step can be judged: it is {how}, interval and all."]
    how = "all" if still == later else "none" if not still else f"{still}"
    return [f"It is above chance, interval and all, at {how} of the {later} later steps that can be judged."]


def _baseline(warning: EarlyWarning, step: int, alone: Row | None) -> list[str]:
    gain = Estimate.of(rows_of(warning.gain[warning.gain["step"] == step])[0])
    if not gain.is_known or alone is None:
        return []
    first = f"The hyperparameters alone, known before the first step, reach {text_of(alone)}"
    if gain.ci_low > 0:
        return [f"{first}; the diagnostics add {gain.text(signed)}."]
    return [f"{first}; whether the diagnostics add to that cannot be told ({gain.text(signed)})."]


def _best_single(here: Mapping[str, Row]) -> list[str]:
    single = [row for row in here.values() if row["kind"] == "one"]
    if not single:
        return []
    if not any(row["ci_low"] > 0.5 for row in single):
        return ["No single diagnostic is above chance there, interval and all."]
    best = max(single, key=lambda row: row["estimate"])
    return [
        f"The best of {len(single)} single diagnostics there: {spaced(best['predictor'])}, {text_of(best)}; "
        "the best of many looks better than it is."
    ]


def _rule_finding(warning: EarlyWarning, horizon: int) -> str:
    """Told at one step that no estimate has chosen: the best of several would look better than it is."""
    rule = warning.rule
    saved = rule[(rule["quantity"] == "compute_saved") & rule["estimate"].notna()]
    if saved.empty:
        return _why_not(warning, rule)
    row = min(rows_of(saved), key=lambda row: abs(row["step"] - horizon / 3))
    step = int(row["step"])
    fixed = "the one nearest a third of the horizon of those that can be judged"
    if not row["estimate"] > 0:
        return (
            f"At step {step:,}, {fixed}, no run would be stopped: nothing to save there at this rate of "
            "false stops."
        )
    wrong, caught = (
        Estimate.of(by_two(rule, "step", "quantity")[step, name]) for name in ("false_stops", "caught")
    )
    return (
        f"Stopping at step {step:,}, {fixed}, would save {text_of(row)} of all updates. It would stop "
        f"{caught.text()} of the healthy runs that fail later, and {wrong.text()} of those that end well "
        f"({plural(wrong.n_runs, 'healthy run')})."
    )


def _why_not(warning: EarlyWarning, estimates: pd.DataFrame) -> str:
    reason = warning.reason or next(iter(estimates["reason"]), "not estimable")
    return f"{capital(reason)}."


def _auc_note(study: Study, warning: EarlyWarning) -> str:
    note = AUC_NOTE.format(lasts=plural(study.frames.spec.outcomes.persist + 1, "visit"))
    if warning.n_runs == warning.n_available:
        return note
    return f"{note} Estimated on {warning.n_runs:,} of {warning.n_available:,} runs, at random points."


def _auc_table(warning: EarlyWarning) -> Table:
    found = by_two(warning.auc, "predictor", "step")
    steps = across(found, {step: f"step {step:,}" for step in warning.landmarks["step"]})
    names = Column("predictor", spaced, is_number=False)
    caption = "AUC of each predictor by step [95% interval]"
    return table(caption, [*SETS, *_singles(warning.auc)], (names, *steps), "AUC of every predictor")


def _landmark_table(warning: EarlyWarning) -> Table:
    columns = counts(
        step="step",
        n_runs="healthy",
        n_points="points",
        n_failed="fail later",
        n_well="end well",
        n_learning="still learning",
    )
    caption = "Runs healthy at each step, and how they end"
    return table(caption, rows_of(warning.landmarks), columns, "How many runs that is", "healthy-runs")


def _rule_table(warning: EarlyWarning) -> Table:
    found = by_two(warning.rule, "step", "quantity")
    heads = {"compute_saved": "updates saved"} | {name: f"{words} stopped" for name, words in STOPPED.items()}
    columns = (Column("stop at step", lambda step: f"{step:,}"), *across(found, heads))
    return table("What the early stop saves and costs [95% interval]", warning.landmarks["step"], columns)


def _singles(auc: pd.DataFrame) -> Sequence[str]:
    """The single diagnostics, the one with the highest mean AUC first."""
    means = auc[auc["kind"] == "one"].groupby("predictor")["estimate"].mean()
    return sorted(DIAGNOSTICS, key=lambda name: -means.fillna(0).get(name, 0.0))

"""Early warning: which diagnostic foretells how a healthy run ends, and what an early stop would save."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from stability.analysis.landmarks import ALL_DIAGNOSTICS, BOTH, DIAGNOSTICS, FEWEST_POINTS, HYPERPARAMETERS
from stability.analysis.study import Study
from stability.analysis.warning import EarlyWarning
from stability.report.blocks import Block, Cell, Head, Table
from stability.report.figures.warning import auc_panels, rule_panels
from stability.report.svg import inline_svg
from stability.report.words import NOTHING, interval, plural, share

SETS = (BOTH, ALL_DIAGNOSTICS, HYPERPARAMETERS)
STOPPED = {
    "caught": "runs that fail",
    "false_stops": "runs that end well",
    "learning_stops": "runs still learning",
}
"""Whose share is stopped, by quantity of the rule."""


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
        note=(
            "A run is stopped if its risk, from everything known at that step, passes a bar. The bar is "
            "chosen on "
            f"other points so that at most {share(warning.limit)} of the runs that end well are stopped "
            "(dotted "
            "line), and each run is judged by a model that never saw its point. Saved: updates of both "
            "networks "
            "after that step in the stopped runs, of all updates of all runs. Runs still learning at the "
            "horizon "
            "count as neither good nor bad, yet they would be stopped, too: their share stands beside. The "
            "sentence above is about a step fixed beforehand, not about the one that saves most. "
            "95% intervals over points."
        ),
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
        row = both.sort_values("estimate", kind="stable").iloc[-1]
        return (
            "Nothing that was recorded foretells failure better than chance, as far as these points can "
            "tell: "
            f"everything together reaches an AUC of {_told(row)} at step {int(row['step']):,}; .5 is chance."
        )
    row = clear.iloc[0]
    step = int(row["step"])
    here = known[known["step"] == step].set_index("predictor")
    sentences = [
        f"At step {step:,} failure can be foretold: of a healthy run that will fail and one that will "
        "end "
        f"well, the one that will fail has the higher risk with probability {_told(row)} (AUC; .5 is chance)."
    ]
    return " ".join(
        [*sentences, *_later(both, clear, step), *_baseline(warning, step, here), *_best_single(here)]
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


def _baseline(warning: EarlyWarning, step: int, here: pd.DataFrame) -> list[str]:
    gain = warning.gain[warning.gain["step"] == step].iloc[0]
    if pd.isna(gain["estimate"]) or HYPERPARAMETERS not in here.index:
        return []
    alone = (
        f"The hyperparameters alone, known before the first step, reach {_told(here.loc[HYPERPARAMETERS])}"
    )
    bounds = f"[{_signed(gain['ci_low'])}, {_signed(gain['ci_high'])}]"
    if gain["ci_low"] > 0:
        return [f"{alone}; the diagnostics add {_signed(gain['estimate'])} {bounds}."]
    return [
        f"{alone}; whether the diagnostics add to that cannot be told ({_signed(gain['estimate'])} {bounds})."
    ]


def _best_single(here: pd.DataFrame) -> list[str]:
    single = here[here["kind"] == "one"].sort_values("estimate", ascending=False, kind="stable")
    if single.empty:
        return []
    name, row = str(single.index[0]).replace("_", " "), single.iloc[0]
    if not (single["ci_low"] > 0.5).any():
        return ["No single diagnostic is above chance there, interval and all."]
    return [
        f"The best of {len(single)} single diagnostics there: {name}, {_told(row)}; the best of many looks "
        "better than it is."
    ]


def _rule_finding(warning: EarlyWarning, horizon: int) -> str:
    """Told at one step that no estimate has chosen: the best of several would look better than it is."""
    rule = warning.rule
    saved = rule[(rule["quantity"] == "compute_saved") & rule["estimate"].notna()]
    if saved.empty:
        return _why_not(warning, rule)
    row = saved.iloc[int(np.argmin(np.abs(saved["step"].to_numpy(dtype=float) - horizon / 3)))]
    step = int(row["step"])
    fixed = "the one nearest a third of the horizon of those that can be judged"
    if not row["estimate"] > 0:
        return (
            f"At step {step:,}, {fixed}, no run would be stopped: nothing to save there at this rate of "
            "false stops."
        )
    wrong, caught = (
        rule[(rule["step"] == step) & (rule["quantity"] == quantity)].iloc[0]
        for quantity in ("false_stops", "caught")
    )
    return (
        f"Stopping at step {step:,}, {fixed}, would save {_told(row)} of all updates. It would stop "
        f"{_told(caught)} of the healthy runs that fail later, and {_told(wrong)} of those that end well "
        f"({plural(int(wrong['n_runs']), 'healthy run')})."
    )


def _why_not(warning: EarlyWarning, estimates: pd.DataFrame) -> str:
    reason = warning.reason or next(iter(estimates["reason"]), "not estimable")
    return f"{reason[0].upper()}{reason[1:]}."


def _auc_note(study: Study, warning: EarlyWarning) -> str:
    part, lasts = "", plural(study.frames.spec.outcomes.persist + 1, "visit")
    if warning.n_runs < warning.n_available:
        part = f" Estimated on {warning.n_runs:,} of {warning.n_available:,} runs, at random points."
    return (
        "Healthy at a step: trained past it, and nothing bad could be seen by then: no collapse after "
        f"having been good, no saturation that had lasted {lasts}, no divergence. A run that is not good yet "
        "counts as healthy: whether it is slow or has collapsed only its end tells. Each risk comes from "
        "a logistic regression that never saw the run's point (five folds); only runs at different "
        "points are compared. Right: a disc's size is the AUC above .5, full where the whole interval is "
        "above "
        "it. Runs still learning at the horizon are left out. 95% intervals over points, each for itself; "
        "at "
        f"least {FEWEST_POINTS} points of either end are needed.{part}"
    )


def _auc_table(warning: EarlyWarning) -> Table:
    steps = warning.landmarks["step"].tolist()
    names = [*SETS, *_singles(warning.auc)]
    found = {(row["predictor"], row["step"]): row for row in warning.auc.to_dict("records")}
    rows = tuple(
        (Cell(name.replace("_", " ")), *(_cell(found[name, step]) for step in steps)) for name in names
    )
    return Table(
        "AUC of each predictor by step [95% interval]",
        (Head("predictor", is_number=False), *(Head(f"step {step:,}") for step in steps)),
        rows,
        folded="AUC of every predictor",
    )


def _landmark_table(warning: EarlyWarning) -> Table:
    columns = {
        "n_runs": "healthy",
        "n_points": "points",
        "n_failed": "fail later",
        "n_well": "end well",
        "n_learning": "still learning",
    }
    rows = tuple(
        (Cell(f"{row['step']:,}"), *(Cell(f"{row[name]:,}") for name in columns))
        for row in warning.landmarks.to_dict("records")
    )
    heads = (Head("step", is_number=False), *(Head(text) for text in columns.values()))
    return Table("Runs healthy at each step, and how they end", heads, rows, folded="How many runs that is")


def _rule_table(warning: EarlyWarning) -> Table:
    quantities = {"compute_saved": "updates saved"} | {
        quantity: f"{words} stopped" for quantity, words in STOPPED.items()
    }
    found = {(row["step"], row["quantity"]): row for row in warning.rule.to_dict("records")}
    rows = tuple(
        (Cell(f"{step:,}"), *(_cell(found[step, quantity]) for quantity in quantities))
        for step in warning.landmarks["step"]
    )
    heads = (Head("stop at step", is_number=False), *(Head(text) for text in quantities.values()))
    return Table("What the early stop saves and costs [95% interval]", heads, rows)


def _singles(auc: pd.DataFrame) -> Sequence[str]:
    """The single diagnostics, the one with the highest mean AUC first."""
    means = auc[auc["kind"] == "one"].groupby("predictor")["estimate"].mean()
    return sorted(DIAGNOSTICS, key=lambda name: -means.fillna(0).get(name, 0.0))


def _cell(row: Any) -> Cell:
    if pd.isna(row["estimate"]):
        return Cell(NOTHING, "", str(row["reason"]))
    return Cell(share(row["estimate"]), interval(row["ci_low"], row["ci_high"]), str(row["reason"]))


def _told(row: Any) -> str:
    return f"{share(float(row['estimate']))} {interval(float(row['ci_low']), float(row['ci_high']))}"


def _signed(value: float) -> str:
    sign = "−" if value < 0 else "+"
    return f"{sign}{share(abs(float(value)))}"

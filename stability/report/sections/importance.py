"""Which parameters matter, for success and for the FID, beside a parameter that does nothing."""

from __future__ import annotations

from typing import Any

import pandas as pd

from stability.analysis.importance import DUMMY, LOG_FID, TARGETS, Importance
from stability.analysis.rates import SUCCESS
from stability.analysis.study import Study
from stability.report.blocks import Block, Cell, Head, Table
from stability.report.figures.importance import importance_panels
from stability.report.svg import inline_svg
from stability.report.words import NOTHING, listed, number, plural

TITLES = {SUCCESS: "success (log-loss)", LOG_FID: "final FID ratio (squared error of its logarithm)"}
MATTERS = {SUCCESS: "whether a run succeeds", LOG_FID: "the FID at the end"}


def importance_blocks(study: Study, found: Importance) -> list[Block]:
    """One block for both targets; none where nothing was varied or no rate may be estimated."""
    if not study.varied or not study.estimable:
        return []
    known = [target for target in TARGETS if _rows(found, target)["estimate"].notna().any()]
    finding = " ".join(_finding(found, target) for target in TARGETS)
    figure = importance_panels(_known_rows(found, known), known, TITLES) if known else None
    alt = f"Dots with 95% intervals, the importance of each parameter. {finding}"
    return [
        Block(
            key="importance",
            question="Which hyperparameters matter?",
            finding=finding,
            figure=inline_svg(figure, "importance", alt) if figure is not None else None,
            note=_note(found),
            tables=(*(_table(found, target) for target in known), _score_table(found)),
            data=found.parameters,
        )
    ]


def _rows(found: Importance, target: str) -> pd.DataFrame:
    return found.parameters[found.parameters["target"] == target]


def _known_rows(found: Importance, targets: list[str]) -> pd.DataFrame:
    return found.parameters[found.parameters["target"].isin(targets)]


def _finding(found: Importance, target: str) -> str:
    rows = _rows(found, target)
    what = MATTERS[target]
    if rows["estimate"].isna().all():
        reason = str(rows["reason"].iloc[0]).removeprefix("not estimable: ")
        return f"What matters for {what} is not estimable: {reason}."
    named = rows[~rows["dummy"]]
    clear = list(named.loc[named["ci_low"] > 0, "parameter"])
    rest = list(named.loc[named["ci_low"] <= 0, "parameter"])
    if not clear:
        return f"For {what}, no parameter can be told apart from one of no use."
    verb = "matters" if len(clear) == 1 else "matter"
    first = f"For {what}, {listed(clear)} {verb}{', the most important first' if len(clear) > 1 else ''}"
    tail = f"; {listed(rest)} cannot be told apart from a parameter of no use" if rest else ""
    return f"{first}{tail}.{_doubt(found, target)}"


def _doubt(found: Importance, target: str) -> str:
    """A word of caution where the useless parameter seems useful, or the model hardly beats a constant."""
    dummy = _rows(found, target).query("dummy").iloc[0]
    gain = _score(found, target, "gain")
    if dummy["ci_low"] > 0:
        return f" Take this with care: the {DUMMY} seems to matter, too."
    if gain["ci_low"] <= 0:
        return " Take this with care: the model may predict no better than a constant does."
    return ""


def _score(found: Importance, target: str, score: str) -> Any:
    scores = found.scores
    return scores[(scores["target"] == target) & (scores["score"] == score)].iloc[0]


def _note(found: Importance) -> str:
    parts = [
        "A random forest predicts runs at points it was not trained on. Importance is how much its error "
        "grows when the values of one parameter are shuffled there, averaged over "
        f"{found.rules.shuffles} shuffles. A parameter that is crossed is shuffled between runs, others "
        f"between points. The {DUMMY} is drawn once a point and does nothing: the band is its interval. "
        "Intervals come from a bootstrap over points, widened by √2, since the points that test also train.",
    ]
    early, missing = (int(_score(found, LOG_FID, "model")[name]) for name in ("n_early", "n_missing"))
    left_out = [
        f"{plural(early, 'run')} that diverged or {_was(early)} stopped early" if early else "",
        f"{plural(missing, 'run')} trained to the end without a finite FID" if missing else "",
    ]
    if early or missing:
        names = listed([text for text in left_out if text])
        parts.append(
            f"The FID’s part speaks only of runs that were trained to the end and have one: {names} "
            f"{_is(early + missing)} not in it."
        )
    unused = int(found.scores["n_unused"].max())
    if unused:
        parts.append(f"Of the runs, {unused:,} were left out at random to save time.")
    return " ".join(parts)


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _table(found: Importance, target: str) -> Table:
    heads = (Head("parameter", is_number=False), Head("importance [95%]"), Head("points"), Head("runs"))
    rows = tuple(
        (Cell(str(row.parameter)), _cell(row), Cell(f"{row.n_points:,}"), Cell(f"{row.n_runs:,}"))
        for row in _each(_rows(found, target))
    )
    return Table(f"Importance for {TITLES[target]}", heads, rows)


def _score_table(found: Importance) -> Table:
    heads = (Head("held-out error of", is_number=False), *(Head(TITLES[target]) for target in TARGETS))
    names = {"model": "the model", "constant": "a constant", "gain": "the constant − the model"}
    rows = tuple(
        (Cell(text), *(_cell(_score(found, target, name)) for target in TARGETS))
        for name, text in names.items()
    )
    return Table("How well the model predicts points that it has not seen [95%]", heads, rows)


def _cell(row: Any) -> Cell:
    if pd.isna(row.estimate):
        return Cell(NOTHING, "", str(row.reason))
    ends = [number(float(end)) for end in (row.ci_low, row.ci_high)]
    return Cell(number(float(row.estimate)), f"[{ends[0]}, {ends[1]}]", str(row.reason))


def _each(frame: pd.DataFrame) -> list[Any]:
    return list(frame.itertuples(index=False))

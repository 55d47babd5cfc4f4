"""Which parameters matter, for success and for the FID, beside a parameter that does nothing."""

from __future__ import annotations

import pandas as pd

from stability.page_kit.blocks import Block
from stability.page_kit.estimate import Row, rows_of
from stability.page_kit.svg import inline_svg
from stability.page_kit.tables import Column, Table, across, by_two, counts, estimated, table, texts
from stability.page_kit.words import bare_reason, listed, number, plural, slug, verb
from stability.questions.importance.estimate import DUMMY, LOG_FID, TARGETS, Importance
from stability.questions.importance.figure import importance_panels
from stability.reading.study import Study
from stability.statistics.rates import SUCCESS

TITLES = {SUCCESS: "success (log-loss)", LOG_FID: "final FID ratio (squared error of its logarithm)"}
MATTERS = {SUCCESS: "whether a run succeeds", LOG_FID: "the FID at the end"}


def importance_blocks(study: Study, found: Importance) -> list[Block]:
    """One block for both targets; none where nothing was varied or no rate may be estimated."""
    if not study.varied or not study.estimable:
        return []
    known = [target for target in TARGETS if _rows(found, target)["estimate"].notna().any()]
    finding = " ".join(_finding(found, target) for target in TARGETS)
    rows = found.parameters[found.parameters["target"].isin(known)]
    figure = importance_panels(rows, known, TITLES) if known else None
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


def _finding(found: Importance, target: str) -> str:
    rows = _rows(found, target)
    what = MATTERS[target]
    if rows["estimate"].isna().all():
        return f"What matters for {what} is not estimable: {bare_reason(rows['reason'].iloc[0])}."
    named = rows[~rows["dummy"]]
    clear = list(named.loc[named["ci_low"] > 0, "parameter"])
    rest = list(named.loc[named["ci_low"] <= 0, "parameter"])
    if not clear:
        return f"For {what}, no parameter can be told apart from one of no use."
    order = ", the most important first" if len(clear) > 1 else ""
    first = f"For {what}, {listed(clear)} {verb(len(clear), 'matters', 'matter')}{order}"
    tail = f"; {listed(rest)} cannot be told apart from a parameter of no use" if rest else ""
    return f"{first}{tail}.{_doubt(found, target)}"


def _doubt(found: Importance, target: str) -> str:
    """A word of caution where the useless parameter seems useful, or the model hardly beats a constant."""
    dummy = _rows(found, target).query("dummy").iloc[0]
    gain = _scores(found)["gain", target]
    if dummy["ci_low"] > 0:
        return f" Take this with care: the {DUMMY} seems to matter, too."
    if gain["ci_low"] <= 0:
        return " Take this with care: the model may predict no better than a constant does."
    return ""


def _scores(found: Importance) -> dict[tuple[str, str], Row]:
    return by_two(found.scores, "score", "target")


def _note(found: Importance) -> str:
    parts = [
        "A random forest predicts runs at points it was not trained on. Importance is how much its error "
        "grows when the values of one parameter are shuffled there, averaged over "
        f"{found.rules.shuffles} shuffles. A parameter that is crossed is shuffled between runs, others "
        f"between points. The {DUMMY} is drawn once a point and does nothing: the band is its interval. "
        "Intervals come from a bootstrap over points, widened by √2, since the points that test also train.",
    ]
    model = _scores(found)["model", LOG_FID]
    early, missing = int(model["n_early"]), int(model["n_missing"])
    left_out = [
        f"{plural(early, 'run')} that diverged or {verb(early, 'was', 'were')} stopped early"
        if early
        else "",
        f"{plural(missing, 'run')} trained to the end without a finite FID" if missing else "",
    ]
    if early or missing:
        names = listed([text for text in left_out if text])
        parts.append(
            f"The FID’s part speaks only of runs that were trained to the end and have one: {names} "
            f"{verb(early + missing, 'is', 'are')} not in it."
        )
    unused = int(found.scores["n_unused"].max())
    if unused:
        parts.append(f"Of the runs, {unused:,} were left out at random to save time.")
    return " ".join(parts)


def _table(found: Importance, target: str) -> Table:
    sizes = counts(n_points="points", n_runs="runs")
    columns = (*texts(parameter="parameter"), estimated("importance [95%]", number), *sizes)
    key = f"importance-{slug(target)}"
    return table(f"Importance for {TITLES[target]}", rows_of(_rows(found, target)), columns, key=key)


def _score_table(found: Importance) -> Table:
    names = {"model": "the model", "constant": "a constant", "gain": "the constant − the model"}
    first = Column("held-out error of", lambda score: names[score], is_number=False)
    columns = (first, *across(_scores(found), {target: TITLES[target] for target in TARGETS}, number))
    caption = "How well the model predicts points that it has not seen [95%]"
    return table(caption, names, columns, key="importance-scores")

"""All runs over two parameters, as they ended."""

from __future__ import annotations

from stability.page_kit.blocks import Block
from stability.page_kit.svg import inline_svg
from stability.page_kit.words import listed, plural, verb
from stability.questions.stable_region.runs_figure import scatter_map
from stability.reading.map_axes import MapAxes, map_points
from stability.reading.study import Study


def map_block(study: Study) -> list[Block]:
    """The map of runs over two parameters, none where no parameter was drawn from a range."""
    axes = study.map_axes
    if axes is None or study.runs.empty:
        return []
    points = map_points(study.runs, axes)
    columns = list(study.order(axes.column)) if axes.column is not None else [""]
    rows = sorted(set(points["row"]))
    figure = scatter_map(points, axes, columns, rows, study.outcomes)
    counts = study.runs["outcome"].value_counts()
    seen = ", ".join(f"{counts[outcome]} {outcome}" for outcome in study.outcomes)
    where = f", a panel for each {listed(_factors_of(axes))}" if _factors_of(axes) else ""
    alt = f"Scatter map of {axes.y} against {axes.x}{where}, one marker a run, by outcome: {seen}."
    over = axes.x if axes.y == "replicate" else f"{axes.x} and {axes.y}"
    block = Block(
        key="map-of-runs",
        question=f"Where, over {over}, do runs succeed?",
        figure=inline_svg(figure, "map", alt),
        note=_note(study, axes),
        data=study.trained[["run", axes.x, axes.y, *_factors_of(axes), "outcome"]],
    )
    return [block]


def _factors_of(axes: MapAxes) -> list[str]:
    return [*([axes.column] if axes.column is not None else []), *axes.rows]


def _note(study: Study, axes: MapAxes) -> str:
    parts = ["One marker a run."]
    if study.frames.spec.design.seeds > 1 and axes.y != "replicate":
        parts.append("Seeds of one point stand side by side.")
    hidden = [name for name in study.varied if name not in {axes.x, axes.y, *_factors_of(axes)}]
    if hidden:
        parts.append(f"{listed(hidden)} also {verb(len(hidden), 'varies', 'vary')}, unseen.")
    n_missing = int(study.runs[[axes.x, axes.y]].isna().any(axis=1).sum())
    if n_missing:
        parts.append(f"{plural(n_missing, 'run')} without a value cannot be shown.")
    return " ".join(parts)

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from stability.page_kit.palette import level_looks
from stability.page_kit.svg import inline_svg
from stability.questions.two_studies.figure import difference_panels, rate_panels

LEVELS = ("all runs", "hinge", "minimax")
EVENTS = ("success", "collapse_ever")
NAMES = ("_one", "<two> $x$")


def rates(names: Sequence[str] = NAMES) -> pd.DataFrame:
    rows = [
        {"study": name, "level": level, "event": event, "estimate": 0.1 * (1 + place + 3 * own)}
        for own, name in enumerate(names)
        for event in EVENTS
        for place, level in enumerate(LEVELS)
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(ci_low=frame["estimate"] - 0.05, ci_high=frame["estimate"] + 0.1)


def dots(figure: Figure, panel: int) -> list[PathCollection]:
    return [item for item in figure.axes[panel].collections if isinstance(item, PathCollection)]


def bars(figure: Figure, panel: int) -> list[LineCollection]:
    return [item for item in figure.axes[panel].collections if isinstance(item, LineCollection)]


def test_every_rate_stands_at_its_place_with_its_interval() -> None:
    frame = rates()
    figure = rate_panels(frame.sample(frac=1, random_state=1), NAMES, LEVELS, EVENTS)
    for panel, event in enumerate(EVENTS):
        assert figure.axes[panel].get_title() == event.replace("_", " ")
        for own, name in enumerate(NAMES):
            here = frame[(frame["event"] == event) & (frame["study"] == name)]
            offsets = np.asarray(dots(figure, panel)[own].get_offsets())
            assert offsets[:, 0] == pytest.approx(here["estimate"].to_numpy())
            assert np.round(offsets[:, 1]).tolist() == [0, 1, 2]
            ends = [segment[:, 0].tolist() for segment in bars(figure, panel)[own].get_segments()]
            assert ends == [pytest.approx(pair) for pair in here[["ci_low", "ci_high"]].to_numpy().tolist()]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(LEVELS)


def test_the_studies_are_told_apart_by_place_colour_and_shape() -> None:
    figure = rate_panels(rates(), NAMES, LEVELS, EVENTS)
    first, second = dots(figure, 0)
    assert (np.asarray(first.get_offsets())[:, 1] < np.asarray(second.get_offsets())[:, 1]).all()
    colours = [to_hex(item.get_facecolor()[0]) for item in (first, second)]
    assert colours == [look.colour for look in level_looks(NAMES).values()]
    assert first.get_paths()[0] != second.get_paths()[0]


def test_the_legend_names_both_whatever_their_names() -> None:
    figure = rate_panels(rates(), NAMES, LEVELS, EVENTS)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(NAMES)
    shown = [to_hex(handle.get_facecolor()[0]) for handle in legend.legend_handles if handle is not None]  # type: ignore[attr-defined]
    assert shown == [look.colour for look in level_looks(NAMES).values()]
    svg = inline_svg(figure, "rates", "Both.")
    assert "&lt;two&gt; $x$" in svg
    assert "<two>" not in svg


def test_a_difference_stands_on_its_side_of_zero() -> None:
    rows = pd.DataFrame(
        {
            "event": "success",
            "level": ["minimax", "all runs"],
            "estimate": [-0.3, 0.2],
            "ci_low": [-0.5, np.nan],
            "ci_high": [-0.1, np.nan],
        }
    )
    figure = difference_panels(rows, ("one", "two"), LEVELS, ["success"])
    (dot,) = dots(figure, 0)
    offsets = np.ma.filled(np.ma.asarray(dot.get_offsets(), dtype=float), np.nan)
    assert offsets[[0, 2], 0].tolist() == [0.2, -0.3]  # in the order of the levels
    assert np.isnan(offsets[1, 0])
    zero = figure.axes[0].lines[0]
    assert list(zero.get_xdata()) == [0, 0]  # type: ignore[arg-type]
    svg = inline_svg(figure, "differences", "Differences.")
    assert "difference of the shares, one − two" in svg
    assert "nan" not in re.sub(r"aria-label=\"[^\"]*\"", "", svg).lower()


@pytest.mark.parametrize(("n_events", "widest"), [(1, 7), (4, 11.4)])
def test_a_figure_fits_the_page(n_events: int, widest: float) -> None:
    frame = pd.concat([rates().assign(event=f"event_{place}") for place in range(n_events)])
    frame = frame.drop_duplicates(["study", "level", "event"])
    figure = rate_panels(frame, NAMES, LEVELS, [f"event_{place}" for place in range(n_events)])
    assert figure.get_figwidth() <= widest

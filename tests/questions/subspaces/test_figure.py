from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.collections import PathCollection

from stability.page_kit.palette import level_looks
from stability.questions.subspaces.figure import box_panels


def rates() -> pd.DataFrame:
    rows = [
        {"box": box, "level": level, "event": event, "estimate": height, "ci_low": 0.1, "ci_high": 0.9}
        for height, box in ((0.2, "whole space"), (0.6, "lr 1e-4 to 1e-3"))
        for level in ("hinge", "minimax")
        for event in ("success", "collapse_ever")
    ]
    return pd.DataFrame(rows)


def test_box_panels_group_levels_within_parts() -> None:
    titles = {"success": "succeeded", "collapse_ever": "collapsed"}
    names = ["whole space", "lr 1e-4 to 1e-3"]
    figure = box_panels(rates(), names, ["hinge", "minimax"], titles)
    assert [panel.get_title() for panel in figure.axes] == ["succeeded", "collapsed"]
    dots = [item for item in figure.axes[0].collections if isinstance(item, PathCollection)]
    heights = sorted(float(height) for dot in dots for _, height in np.asarray(dot.get_offsets()))
    assert np.round(heights).tolist() == [0, 0, 1, 1]
    assert len(set(heights)) == 4
    legend = figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["hinge", "minimax"]
    looks = level_looks(["hinge", "minimax"])
    assert [handle.get_marker() for handle in legend.get_lines()] == [
        looks["hinge"].marker,
        looks["minimax"].marker,
    ]
    assert not box_panels(rates()[rates()["level"] == "hinge"], names, ["hinge"], titles).legends

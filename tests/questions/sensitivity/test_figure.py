from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.collections import PathCollection

from stability.page_kit.palette import level_looks
from stability.questions.sensitivity.figure import sensitivity_dots

ROWS = {"": ["as labelled"], "stable_modes": ["stable_modes 0.45", "stable_modes 1"]}


def test_a_row_for_every_variant_and_a_dot_for_every_level() -> None:
    rates = pd.DataFrame(
        [
            {"variant": name, "level": level, "estimate": 0.1 * place + (level == "hinge") / 2}
            for place, name in enumerate(["as labelled", "stable_modes 0.45", "stable_modes 1", "not shown"])
            for level in ("minimax", "hinge")
        ]
    )
    figure = sensitivity_dots(rates, ["minimax", "hinge"], ROWS, ["stable_modes 1"])
    panel = figure.axes[0]
    dots = [found for found in panel.collections if isinstance(found, PathCollection)]
    shares = [np.asarray(found.get_offsets())[:, 0] for found in dots]
    np.testing.assert_allclose(shares, [[0, 0.1, 0.2], [0.5, 0.6, 0.7]])
    texts = panel.get_yticklabels()
    assert [text.get_text() for text in texts] == ["as labelled", "stable modes 0.45", "stable modes 1"]
    assert [text.get_fontweight() for text in texts] == ["normal", "normal", "bold"]
    heights = panel.get_yticks()
    assert heights[2] - heights[1] < heights[1] - heights[0]  # thresholds stand apart
    drawn = [handle.get_label() for handle in figure.legends[0].legend_handles if handle is not None]
    assert drawn == list(level_looks(["minimax", "hinge"]))

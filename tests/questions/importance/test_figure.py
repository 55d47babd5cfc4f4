from __future__ import annotations

import numpy as np
import pandas as pd

from stability.questions.importance.estimate import DUMMY
from stability.questions.importance.figure import importance_panels


def parameters() -> pd.DataFrame:
    rows = [
        {"target": target, "parameter": name, "dummy": name == DUMMY, "estimate": value}
        for target in ("one", "two")
        for name, value in (("lr", 0.3), ("beta1", 0.1), (DUMMY, 0.01))
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(ci_low=frame["estimate"] - 0.05, ci_high=frame["estimate"] + 0.05)


def test_a_panel_a_target_and_a_line_a_parameter() -> None:
    figure = importance_panels(parameters(), ["one", "two"], {"one": "First", "two": "Second"})
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["First", "Second"]
    for panel in figure.axes:
        assert [label.get_text() for label in panel.get_yticklabels()] == ["lr", "beta1", DUMMY]
        dots = [c.get_offsets() for c in panel.collections if type(c).__name__ == "PathCollection"]
        np.testing.assert_allclose(np.vstack(dots), [[0.3, 0], [0.1, 1], [0.01, 2]])


def test_the_dummy_s_interval_is_a_band_behind_all() -> None:
    panel = importance_panels(parameters(), ["one"], {"one": "First"}).axes[0]
    band = panel.patches[0].get_extents().transformed(panel.transData.inverted())
    np.testing.assert_allclose([band.x0, band.x1], [-0.04, 0.06], atol=1e-9)


def test_one_target_takes_half_of_the_page() -> None:
    widths = [
        importance_panels(parameters(), targets, {"one": "a", "two": "b"}).get_size_inches()[0]
        for targets in (["one"], ["one", "two"])
    ]
    assert widths[1] == 2 * widths[0] <= 11.4

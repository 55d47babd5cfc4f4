from __future__ import annotations

from stability.page_kit.figure_layout import SHARE_TICKS


def test_a_tick_that_is_a_little_off_reads_as_the_share_it_stands_for() -> None:
    assert [SHARE_TICKS(value, None) for value in (1.0000000000000002, 0.2, -1e-17)] == ["1", ".20", "0"]

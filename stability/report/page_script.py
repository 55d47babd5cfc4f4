"""The page's own script, put together from its parts."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent


PAGE_SCRIPTS = (
    "page.js",
    "save.js",
    "scales.js",
    "film.js",
    "curves.js",
    "player.js",
    "panel.js",
    "query.js",
    "rates.js",
    "chance.js",
    "parallel.js",
    "gallery.js",
    "maps.js",
    "advice.js",
    "explorer.js",
    "follow.js",
)
"""The page's own script in parts, each of which uses those before it."""


def page_script() -> str:
    """The page's own script."""
    return "".join((HERE / "scripts" / name).read_text(encoding="utf-8") for name in PAGE_SCRIPTS)

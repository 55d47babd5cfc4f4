"""The templates of pages. Everything from a study passes through autoescape."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stability.report.embed import csv_file
from stability.report.terms import explained

HERE = Path(__file__).parent


def environment() -> Environment:
    """Jinja with everything escaped, and the filters that the templates use."""
    made = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(csv=csv_file, explained=explained, spaced=lambda name: str(name).replace("_", " "))
    return made

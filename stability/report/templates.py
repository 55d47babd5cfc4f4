"""The templates of pages. Everything from a study passes through autoescape."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stability.page_kit.embed import csv_file
from stability.page_kit.table_files import encoded
from stability.page_kit.words import spaced
from stability.report.terms import explained

HERE = Path(__file__).parent


def environment() -> Environment:
    """Jinja with everything escaped, and the filters that the templates use."""
    made = Environment(
        loader=FileSystemLoader([HERE, HERE.parent / "page_kit"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(csv=csv_file, encoded=encoded, explained=explained, spaced=spaced)
    return made

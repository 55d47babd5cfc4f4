"""`stability export`: a study's runs for other tools, by their own libraries, imported when asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stability.cli.options import Live
    from stability.runner.reporter import Reporter


def exporting(tool: Live | None, folder: Path, reporter: Reporter) -> Reporter:
    """Who is told of a study: the reporter, behind what exports for the tool if there is one.

    Raises `StabilityError` as `LiveExport`.
    """
    if tool is None:
        return reporter
    from stability.cli.export.live import LiveExport

    return LiveExport(folder, reporter)

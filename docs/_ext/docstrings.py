"""Docstrings as the code has them, in Markdown's marks, for autodoc, which reads reStructuredText."""

from __future__ import annotations

import re
from typing import Any


def to_rst(lines: list[str]) -> list[str]:
    """Code in single backticks doubled, fences as code blocks, bars as they are."""
    told, in_code = [], False
    for line in lines:
        if fence := re.match(r"(\s*)```", line):
            told += [] if in_code else [f"{fence[1]}.. code-block:: python", ""]
            told += [""] if in_code else []
            in_code = not in_code
        else:
            told.append(f"   {line}" if in_code else _prose(line))
    return told


def _prose(line: str) -> str:
    line = re.sub(r"(?<![`:])`([^`]+)`(?!`)", r"``\1``", line)
    parts = re.split(r"(``.*?``)", line)
    return "".join(part if part.startswith("``") else part.replace("|", "\\|") for part in parts)


def _process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = to_rst(lines)


def setup(app: Any) -> dict[str, bool]:
    """Before napoleon, which expects what it makes."""
    app.connect("autodoc-process-docstring", _process, priority=100)
    return {"parallel_read_safe": True}

"""Files inside the page: data URIs, JSON, its script, and the hash that lets that run."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

HERE = Path(__file__).parent
CSV_DIGITS, LONG_CSV = 9, 200_000
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
    "parallel.js",
    "gallery.js",
    "maps.js",
    "explorer.js",
)
"""The page's own script in parts, each of which uses those before it."""


def data_uri(kind: str, content: bytes) -> str:
    """Content as a `data:` address of a media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@dataclass(frozen=True, slots=True)
class Download:
    """A file to download: how its name ends, and its content as an address."""

    suffix: str
    address: str


def csv_file(frame: pd.DataFrame) -> Download:
    """A frame as a CSV file, its numbers to nine digits; a long one is compressed, for the page's sake."""
    text = frame.to_csv(index=False, float_format=f"%.{CSV_DIGITS}g").encode()
    if len(text) <= LONG_CSV:
        return Download("csv", data_uri("text/csv", text))
    return Download("csv.gz", data_uri("application/gzip", gzip.compress(text, 9, mtime=0)))


def json_text(content: Any) -> Markup:
    """Content as JSON that may stand inside a script element: nothing in it can end the element.

    Raises `ValueError`: it holds a number that is not finite, which JSON has no word for.
    """
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def page_script() -> str:
    """The page's own script."""
    return "".join((HERE / "scripts" / name).read_text(encoding="utf-8") for name in PAGE_SCRIPTS)


def content_policy(script: str) -> str:
    """A Content-Security-Policy under which the page fetches nothing and runs only this script.

    Nothing of it may build code from text.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    parts = (
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        f"script-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return "; ".join(parts)

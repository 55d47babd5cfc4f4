"""Files inside the page: data URIs, JSON, its script, and the hash that lets that run."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

CSV_DIGITS, LONG_CSV = 9, 200_000


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

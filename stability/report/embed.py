"""Files inside the page: data URIs, and the hash that lets its one script run."""

from __future__ import annotations

import base64
import hashlib

import pandas as pd


def data_uri(kind: str, content: bytes) -> str:
    """Content as a `data:` address of a media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def csv_uri(frame: pd.DataFrame) -> str:
    """A frame as a CSV file to download."""
    return data_uri("text/csv", frame.to_csv(index=False).encode())


def content_policy(script: str) -> str:
    """A Content-Security-Policy under which the page fetches nothing and runs only this script."""
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

"""Digests over what is stored, so that a changed bit is noticed where a file would still be read.

A text file of a results folder ends in a seal, the SHA-256 of all that stands before it. A cohort's folder
has a file of the SHA-256 of its other files. Imports nothing of the package.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

DIGESTS = "digests.json"
"""The file of a cohort's folder."""
SEAL = "sha256"

JSON_FRAME = (f',\n "{SEAL}": "'.encode(), b'"\n}\n')
TEXT_FRAME = (b"# sha256 ", b"\n")
"""What stands before and after the digest."""
HEX = 64
EMPTY = b"{}\n"
"""What is written of no fields; there is nothing to seal."""


def sha256(content: bytes) -> str:
    """The digest in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def seal_json(text: str) -> bytes:
    """A JSON object in lines, closed by its digest as one more key.

    Raises `ValueError`: it is no object that ends on a line of its own, or an empty one.
    """
    body = text.removesuffix("\n}\n")
    if body in {text, "{"}:
        raise ValueError("only a JSON object in several lines can be sealed")
    content = body.encode()
    return content + f',\n "{SEAL}": "{sha256(content)}"\n}}\n'.encode()


def seal_text(text: str) -> bytes:
    """A study file, followed by its digest as a comment; an older seal is replaced."""
    content = unsealed_text(text.encode())
    content = content if content.endswith(b"\n") else content + b"\n"
    return content + f"# sha256 {sha256(content)}\n".encode()


def is_whole(content: bytes) -> bool | None:
    """Whether a sealed file is as it was written; None where it has no seal, or only the beginning of one."""
    if content == EMPTY:
        return True
    frame = _frame(content)
    if frame is None:
        return None
    body = content[: -_length(frame)]
    return content == body + frame[0] + sha256(body).encode() + frame[1]


def unsealed_text(content: bytes) -> bytes:
    """A study file without its seal, if it has one."""
    return content[: -_length(TEXT_FRAME)] if _frame(content) == TEXT_FRAME else content


def _frame(content: bytes) -> tuple[bytes, bytes] | None:
    """What frames the seal that a file ends in; with one byte wrong it is a damaged seal, and not none."""
    for before, after in (JSON_FRAME, TEXT_FRAME):
        tail = content[-_length((before, after)) :]
        found = tail[: len(before)] + tail[len(before) + HEX :]
        expected = before + after
        if len(found) == len(expected) and sum(map(int.__ne__, found, expected)) <= 1:
            return before, after
    return None


def _length(frame: tuple[bytes, bytes]) -> int:
    return len(frame[0]) + HEX + len(frame[1])


def json_lines(fields: Mapping[str, Any]) -> bytes:
    """Sorted JSON in lines, sealed; a key named as the seal is replaced by it."""
    plain = {name: value for name, value in fields.items() if name != SEAL}
    text = json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    return seal_json(text) if plain else text.encode()


def encode_digests(digests: Mapping[str, str]) -> bytes:
    """The digests of a cohort's files, by their names relative to its folder."""
    return json_lines({"files": dict(digests)})


def decode_digests(content: bytes) -> dict[str, str] | None:
    """What `encode_digests` wrote; None for anything else, also for what has been changed since."""
    if not is_whole(content):
        return None
    try:
        files: dict[str, str] = json.loads(content)["files"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return files

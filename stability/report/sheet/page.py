"""The sheet as one offline page: an item at a time beside a small form, its marks kept by the browser."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from stability.page_kit.embed import content_policy, data_uri, json_text
from stability.page_kit.palette import LOOKS
from stability.questions.agreement.marks import LABELS, MARK_FIELDS, QUALITIES
from stability.report.templates import environment

HERE = Path(__file__).parent
KEYS = "1234567890"
"""Of the labels, in their order; with shift, of the second label."""
QUALITY_KEYS = "qwer"


@dataclass(frozen=True, slots=True)
class PageItem:
    """One item: its code, and its picture as PNG."""

    code: str
    picture: bytes


@dataclass(frozen=True, slots=True)
class Choice:
    """What a judge can choose, and the key that chooses it."""

    name: str
    meaning: str
    key: str


def render_sheet(items: Sequence[PageItem]) -> str:
    """The page as text; it loads nothing, and its policy lets only its own script run."""
    script = (HERE / "sheet.js").read_text(encoding="utf-8")
    # pages opened from files share one storage: a sheet's own pictures tell it from others
    name = hashlib.sha256(b"".join(item.picture for item in items)).hexdigest()[:16]
    labels = [
        Choice(label, LOOKS[label].meaning, KEYS[place : place + 1]) for place, label in enumerate(LABELS)
    ]
    qualities = [Choice(word, "", key) for word, key in zip(QUALITIES, QUALITY_KEYS, strict=True)]
    return (
        environment()
        .get_template("sheet/sheet.html.j2")
        .render(
            policy=content_policy(script),
            style=Markup((HERE / "sheet.css").read_text(encoding="utf-8")),
            script=Markup(script),
            settings=json_text({"sheet": name, "fields": MARK_FIELDS}),
            items=[(item.code, data_uri("image/png", item.picture)) for item in items],
            labels=labels,
            qualities=qualities,
        )
    )

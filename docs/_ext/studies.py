"""The table of the studies that ship: what each file says first, and what studies/times.json says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stability.cli.shipped import comment, rough, times

STUDIES = Path(__file__).parents[2] / "studies"
RESULTS = STUDIES.with_name("results"), Path(__file__).parents[1] / "results"
"""Where results are kept: what is published, and what only the gallery needs, apart from users' own."""
GALLERY = Path(__file__).parents[1] / "gallery"
"""A page for each study whose results are kept; written by the extension of this name."""


def table() -> str:
    """A row a study, in Markdown."""
    told = times()
    rows = [
        f"| {_linked(name)} | {comment(STUDIES / f'{name}.yaml')} | {told_time(name)} |"
        for name in told["studies"]
    ]
    about = (
        f"On {told['cores']} cores of an {told['processor']}, as `stability validate` estimates it there; "
        "measured where it says so."
    )
    return (
        "\n".join([about.replace("(R)", ""), "", "| study | what it is for | time |", "|---|---|---|", *rows])
        + "\n"
    )


def _linked(name: str) -> str:
    """Its page in the gallery, where it has one."""
    return f"[`{name}`](gallery/{name}.md)" if (GALLERY / f"{name}.md").is_file() else f"`{name}`"


def told_time(name: str) -> str:
    """How long a study takes, as `studies/times.json` has it."""
    time = times()["studies"][name]
    if time is None:
        return "needs data of its own"
    return rough(time["seconds"]) + (" (measured)" if time["measured"] else "")


def setup(app: Any) -> dict[str, bool]:
    """Write the table before the page that includes it is read."""

    def write(app: Any) -> None:
        folder = Path(app.srcdir) / "_generated"
        folder.mkdir(exist_ok=True)
        (folder / "studies.md").write_text(table(), encoding="utf-8")

    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}

"""The commands that one begins with: a study file to edit, finished studies to look at."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from stability.errors import StabilityError


def init(
    path: Annotated[
        Path | None, typer.Argument(help="The file to write; by default study.yaml, or NAME.yaml.")
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="NAME", help="Copy a study that ships: quickstart, ...")
    ] = None,
    force: Annotated[bool, typer.Option("--force", metavar="", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a commented study file to start from, or a copy of one that ships."""
    from stability.cli.shipped import study_text, time_told
    from stability.store.files import write_asked

    template = Path(__file__).with_name("study.yaml")
    text = study_text(from_) if from_ else template.read_text(encoding="utf-8")
    path = path or Path(f"{from_ or 'study'}.yaml")
    if path.exists() and not force:
        raise StabilityError(f"{path}: exists already; give another name or --force")
    try:
        write_asked(path, text.encode())
    except OSError as error:
        raise StabilityError(f"{path}: cannot be written: {error.strerror}") from error
    time = time_told(from_) if from_ else ""
    typer.echo(f"wrote {path}{time and f' ({time})'}; next: stability validate {path}")


def demo(
    name: Annotated[str | None, typer.Argument(help="Which one; without it, all are listed.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where study and page go; by default a temporary folder."),
    ] = None,
    no_open: Annotated[
        bool, typer.Option("--no-open", metavar="", help="Only write the page; open no browser.")
    ] = False,
) -> None:
    """Open a finished small study that ships: what success looks like, and what goes wrong."""
    from stability.cli.shipped import DEMOS, demos
    from stability.spec.problems import unknown

    shown = demos()
    if name is None:
        wide = max(map(len, shown))
        typer.echo("\n".join(f"{one:<{wide}}  {about}" for one, about in shown.items()))
        return
    if name not in shown:
        raise StabilityError(unknown("demo", name, shown))
    place = out or Path(tempfile.mkdtemp(prefix="stability-"))
    folder = place / name
    if folder.exists():
        raise StabilityError(f"{folder}: exists already; give another --out")
    shutil.copytree(DEMOS / name, folder)
    _show(folder, place / f"{name}.html", opened=not no_open)


def _show(folder: Path, page: Path, *, opened: bool) -> None:
    """Write a study's page and open it where there is a browser."""
    import webbrowser

    from stability.report.write import write

    write([folder], "html", page)
    typer.echo(f"wrote {folder} and {page}")
    if opened and not webbrowser.open(page.absolute().as_uri()):
        typer.echo(f"no browser was found; open {page} in one")

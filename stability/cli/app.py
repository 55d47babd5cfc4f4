"""The `stability` command. Every bad input ends in one line on stderr and exit code 2."""

from __future__ import annotations

import errno
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stability.cli.classifier import classifier_app
from stability.cli.options import (
    Address,
    AllowCode,
    AsJson,
    ClassifierFile,
    DataRoot,
    Detach,
    Device,
    Download,
    EngineChoice,
    EngineName,
    EngineOptions,
    LiveTool,
    NewThresholds,
    Overrides,
    ReportFormat,
    Results,
    Setting,
    StudyFile,
    Threads,
    Tool,
    Workers,
)
from stability.cli.output import written_out
from stability.cli.starting import demo, init
from stability.errors import StabilityError
from stability.runner.memory import memory_shortage

if TYPE_CHECKING:
    from stability.runner.engines.options import Cluster
    from stability.runner.materials import Resources
    from stability.spec import StudySpec

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Which GAN hyperparameters train stably, how sure are we, and what goes wrong elsewhere.",
)
app.add_typer(classifier_app, name="classifier")
for _command in (init, demo):
    app.command()(_command)

UsageError: Any = typer.BadParameter.__mro__[1]
"""Of click, which typer has within itself from some version on; it has no public name for it."""
EXHAUSTED = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOENT)
"""What the system says that has no process, memory, file or folder for temporary files to give."""


def main() -> None:
    """Run the command line; turn whatever the outside world does into one line and exit code 2."""
    try:
        with written_out():
            sys.exit(app(prog_name="stability", standalone_mode=False) or 0)
    except UsageError as error:
        if message := error.format_message():  # without arguments the help is printed, and is the message
            where = error.ctx.command_path if error.ctx else "stability"
            message = message.replace("Value error, ", "").rstrip(".")
            typer.echo(f"error: {message}; see `{where} --help`", err=True)
        sys.exit(2)
    except typer.Abort:
        sys.exit(130)
    except StabilityError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        if error.filename is None and error.errno not in EXHAUSTED:
            raise
        where = "" if error.filename is None else f"{error.filename}: "
        typer.echo(f"error: {where}{error.strerror}", err=True)
        sys.exit(2)
    except (MemoryError, RuntimeError) as error:
        short = memory_shortage(error)
        if short is None:
            raise
        typer.echo(f"error: {short}", err=True)
        sys.exit(2)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", metavar="", help="Print the version.")] = False,
) -> None:
    if version:
        from stability import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.command()
def validate(
    study: StudyFile,
    set_: Overrides = None,
    device: Device = "auto",
    data_root: DataRoot = None,
    download: Download = False,
    classifier: ClassifierFile = None,
    threads: Threads = None,
    workers: Workers = None,
    allow_code: AllowCode = False,
    engine: EngineChoice = None,
    engine_options: EngineOptions = None,
    no_timing: Annotated[
        bool, typer.Option("--no-timing", metavar="", help="Leave out the estimate of time.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a study file and print the plan: runs, cohorts, thresholds, and how long it will take here."""
    spec, where = _load(study, set_, allow_code=allow_code)  # before imports that take seconds
    cluster = _cluster(engine, engine_options)

    from stability.cli import plan_view

    resources = _resources(device, data_root, download, classifier, threads, allow_code, workers)
    summary = plan_view.summarise(spec, resources, timing=not no_timing, where=where, cluster=cluster)
    typer.echo(json.dumps(summary, indent=1) if as_json else plan_view.as_text(summary))


@app.command()
def run(
    study: StudyFile,
    set_: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="Results folder; by default results/<name>.")] = None,
    device: Device = "auto",
    data_root: DataRoot = None,
    download: Download = False,
    classifier: ClassifierFile = None,
    threads: Threads = None,
    workers: Workers = None,
    allow_code: AllowCode = False,
    fork: Annotated[
        Path | None,
        typer.Option(metavar="NEW", help="Begin an edited study anew in this folder; nothing is copied."),
    ] = None,
    engine: EngineChoice = None,
    engine_options: EngineOptions = None,
    address: Address = None,
    detach: Detach = False,
    export: LiveTool = None,
) -> None:
    """Train every run of a study that is not finished yet, and keep everything.

    A study file may be edited: more points, seeds or levels of a crossed list are trained besides.
    """
    from stability.cli.interrupt import leaving_at_once, train

    with leaving_at_once():  # imports take seconds
        spec, where = _load(study, set_, allow_code=allow_code)  # first, so that a bad one is told at once
        cluster = _cluster(engine, engine_options, address, detach=detach)

        from rich.console import Console

        from stability.cli.display import Display
        from stability.cli.export import exporting
        from stability.runner.study import StudyRunner

        original = out or Path("results") / spec.name
        folder = fork or original
        runner = StudyRunner(
            spec,
            folder,
            _resources(device, data_root, download, classifier, threads, allow_code, workers),
            exporting(export, folder, Display(Console(quiet=True))),
            where=where,
            forked_from=original if fork else None,
            cluster=cluster,
        )
        if runner.is_finished():
            runner.run()
            typer.echo(f"{folder} is finished; next: stability report {folder}")
        else:
            train(runner, export)
            typer.echo(f"finished {folder}; next: stability report {folder}")


@app.command()
def report(
    results: Annotated[
        list[Path], typer.Argument(metavar="RESULTS...", help="A study's results folder, or two to compare.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The page or JSON file, or the folder for CSV; by default below reports/."),
    ] = None,
    format_: Annotated[
        ReportFormat, typer.Option("--format", help="html: the page; json, csv: its estimates.")
    ] = ReportFormat.HTML,
    map_: Annotated[
        str | None,
        typer.Option(
            "--map", metavar="X,Y", help="The two parameters of maps; by default those that matter most."
        ),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Also write every figure there, as SVG, PDF and PNG."),
    ] = None,
    tables: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Also write every table there, as CSV, Markdown and LaTeX."),
    ] = None,
    watch: Annotated[
        int | None,
        typer.Option(
            metavar="SECONDS", min=1, help="Write the page again so often while the study runs; it follows."
        ),
    ] = None,
) -> None:
    """Write a study's offline HTML page, or two studies side by side."""
    from contextlib import suppress
    from time import monotonic

    from stability.report.follow import follow
    from stability.report.write import Extras, write

    if len(results) > 2:
        raise StabilityError(f"{results[2]}: a report takes one results folder, or two to compare")
    began = monotonic()

    def tell(what: str) -> None:
        if sys.stderr.isatty():
            typer.echo(f"{monotonic() - began:6.1f} s  {what}", err=True)

    extras = Extras(figures, tables)
    if watch is not None:
        if len(results) > 1 or format_ is not ReportFormat.HTML or extras != Extras():
            raise StabilityError("--watch: follows the page of one study, and writes nothing else")
        with suppress(KeyboardInterrupt):
            for place in follow(results[0], out, every=watch, map_over=map_, tell=tell):
                typer.echo(f"wrote {place}")
        return
    place = write(results, format_.value, out, map_over=map_, extras=extras, tell=tell)
    typer.echo("\n".join(f"wrote {path}" for path in (place, figures, tables) if path is not None))


@app.command()
def export(
    tool: Annotated[Tool, typer.Argument(metavar="TOOL", help="tensorboard, mlflow or wandb.")],
    results: Results,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="By default below exports/.")] = None,
) -> None:
    """Write a study's runs, records, films and outcomes for another tool, all of it on this machine."""
    from stability.cli.export.targets import export as write

    for line in write(tool.value, results, out):
        typer.echo(line)


@app.command()
def status(
    results: Results,
    runs: Annotated[bool, typer.Option("--runs", metavar="", help="List every planned run.")] = False,
    check: Annotated[
        bool,
        typer.Option("--check", metavar="", help="Examine every file; exit 1 if anything is wrong."),
    ] = False,
    repair: Annotated[
        bool,
        typer.Option("--repair", metavar="", help="Check, and repair what can be; nothing is thrown away."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say how far a study is, or whether its files are whole."""
    from stability.cli.status_view import as_text
    from stability.store.progress import run_states, study_status

    if check or repair:
        _check(results, repair=repair, as_json=as_json)
        return

    state = study_status(results)
    if runs:
        state["run_states"] = run_states(results)
    typer.echo(json.dumps(state, indent=1) if as_json else as_text(state))


@app.command()
def replay(
    results: Results,
    run_name: Annotated[str, typer.Argument(metavar="RUN", help="The run's name, as in the report.")],
    device: Device = "auto",
    data_root: DataRoot = None,
    download: Download = False,
    classifier: ClassifierFile = None,
    threads: Threads = None,
    allow_code: AllowCode = False,
    as_json: AsJson = False,
) -> None:
    """Train one run of a study again, alone, and compare it with what was kept; exit 1 if it differs."""
    from rich.console import Console

    from stability.cli.display import Display
    from stability.runner.replay import replay as train_again

    resources = _resources(device, data_root, download, classifier, threads, allow_code)
    with Display(Console(stderr=True)) as display:
        again = train_again(results, run_name, resources, display)
    if as_json:
        typer.echo(json.dumps(again.summary(), indent=1))
    else:
        typer.echo(again.in_words())
    if again.difference is not None:
        raise typer.Exit(1)


@app.command()
def show(
    results: Results,
    run_name: Annotated[str, typer.Argument(metavar="RUN", help="The run's name, as in the report.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the pictures go.")] = Path("reports"),
    data_root: DataRoot = None,
    download: Download = False,
    allow_code: AllowCode = False,
) -> None:
    """Write a run's film, and the latent views of its trial if the study keeps weights."""
    from stability.cli.show_view import DataPlace
    from stability.cli.show_view import show as write

    for line in write(results, run_name, out, DataPlace(data_root, download, allow_code)):
        typer.echo(line)


@app.command()
def advise(
    results: Annotated[
        Path | None,
        typer.Argument(metavar="[RESULTS]", help="A study's results folder; by default the atlas."),
    ] = None,
    set_: Setting = None,
    as_json: AsJson = False,
) -> None:
    """Say how likely a run at a setting succeeds, how the nearest runs ended, and what would help."""
    from stability.cli.advise_view import read_pairs, summary
    from stability.questions.advice.estimate import advise as ask

    found = ask(results, read_pairs(set_ or []))
    typer.echo(json.dumps(summary(found), indent=1) if as_json else found)


@app.command()
def sheet(
    results: Annotated[list[Path], typer.Argument(metavar="RESULTS...", help="Studies' results folders.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="A new folder for the sheet.")] = Path("sheet"),
    runs: Annotated[int | None, typer.Option(min=1, help="Runs to draw; by default all.")] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Of draw, order and codes; every seed has codes of its own letter.")
    ] = 0,
    montage: Annotated[
        int | None, typer.Option(min=1, max=20, help="Also write PNG pages of this many runs each.")
    ] = None,
    data_root: DataRoot = None,
) -> None:
    """Write a blinded sheet of runs to judge by eye: a page, a picture of each run, a file for marks."""
    from stability.cli.sheet_view import sheet as write
    from stability.report.sheet import Plan

    for line in write(results, out, Plan(runs, seed, montage), data_root):
        typer.echo(line)


@app.command()
def agree(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULTS... MARKS [MARKS]", help="Results folders, then a judge's marks, or two."
        ),
    ],
    key: Annotated[
        Path | None, typer.Option(help="The sheet's key.csv; by default the one beside the first marks.")
    ] = None,
    split: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Only the codes in this file, one a line.")
    ] = None,
    neighbours: Annotated[
        bool,
        typer.Option("--neighbours", metavar="", help="Count neighbouring labels as half of a disagreement."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare judges' marks of a sheet with the runs' labels, and with each other."""
    from stability.cli.agree_view import as_text, compare, summary

    found = compare(paths, key, split=split, neighbours=neighbours)
    typer.echo(json.dumps(summary(found), indent=1) if as_json else as_text(found))


@app.command()
def relabel(
    results: Results,
    set_: NewThresholds = None,
    as_json: AsJson = False,
) -> None:
    """Apply other thresholds (--set outcomes.persist=4) to a study's stored records, without training."""
    from stability.runner.study import relabel_study

    changed = relabel_study(results, set_ or [])
    rows = {name: {"was": old.value, "is": new.value} for name, (old, new) in changed.items()}
    lines = [f"{name}: {row['was']} -> {row['is']}" for name, row in rows.items()]
    typer.echo(json.dumps(rows, indent=1) if as_json else "\n".join([*lines, f"{len(lines)} labels changed"]))


@app.command()
def pack(
    results: Results,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new results folder.")],
    images: Annotated[int, typer.Option(min=1, help="Images of each visit that a film keeps.")] = 16,
) -> None:
    """Copy results into a folder small enough to publish: whole tables, thinner films, no weights."""
    from stability.design.study_db import rebuild_study_db
    from stability.store import Store
    from stability.store.pack import pack as write

    cohorts = list(write(Store.open(results), out, images=images))
    rebuild_study_db(out)
    typer.echo(f"packed {len(cohorts)} cohorts into {out}; next: stability report {out}")


@app.command()
def selftest(device: Device = "auto", as_json: AsJson = False) -> None:
    """Check this installation against known answers on a device; exit 1 if anything fails."""
    from stability.runner.devices import choose_device
    from stability.selftest import as_text, run_checks

    checks = run_checks(choose_device(device))
    rows: list[dict[str, Any]] = [check.as_row() for check in checks]
    typer.echo(json.dumps(rows, indent=1) if as_json else as_text(checks))
    if not all(check.passed for check in checks):
        raise typer.Exit(1)


@app.command()
def doctor(device: Device = "auto", as_json: AsJson = False) -> None:
    """Describe this installation for a report of a fault: versions, processor, GPUs, self-test."""
    from stability.cli.doctor_view import diagnosis, diagnosis_as_text
    from stability.runner.devices import choose_device

    found = diagnosis(choose_device(device))
    typer.echo(json.dumps(found, indent=1) if as_json else diagnosis_as_text(found))


def _check(results: Path, *, repair: bool, as_json: bool) -> None:
    """Examine a results folder, repaired first if asked; exit 1 if anything is wrong with it."""
    from stability.cli.status_view import check_as_text, check_summary
    from stability.runner.repair import check_study, repair_study

    done, found = repair_study(results) if repair else ((), check_study(results))
    if as_json:
        typer.echo(json.dumps(check_summary(results, found, done), indent=1))
    else:
        typer.echo(check_as_text(results, found, done))
    if found.faults:
        raise typer.Exit(1)


def _load(study: Path, overrides: list[str] | None, *, allow_code: bool) -> tuple[StudySpec, str]:
    """The study, and where it names its data set. Its file is read once: it may be a pipe."""
    from stability.spec.loader import parse_study, place_of, read_text
    from stability.spec.relations import check_trained_here

    text, source = read_text(study)
    spec = parse_study(text, source, overrides or [], allow_code=allow_code)
    check_trained_here(spec)
    return spec, place_of(text, source, ("dataset",), overrides or [])


def _cluster(
    engine: EngineName | None, options: Path | None, address: str | None = None, *, detach: bool = False
) -> Cluster | None:
    if engine is not None:
        from stability.runner.engines.options import choose_cluster

        return choose_cluster(engine.value, options, address=address, detach=detach)
    if options is not None or address is not None or detach:
        raise StabilityError("--engine-options, --address, --detach: are for --engine ray or slurm")
    return None


def _resources(
    device: str,
    data_root: Path | None,
    download: bool,
    classifier: Path | None,
    threads: int | None,
    allow_code: bool,
    workers: int | None = None,
) -> Resources:
    from stability.runner.materials import Resources

    return Resources(device, data_root, download, classifier, threads, allow_code, workers)

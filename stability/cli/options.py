"""The arguments and options that several commands have, each told once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY", help="The study file.")]
Results = Annotated[Path, typer.Argument(metavar="RESULTS", help="A study's results folder.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Set a key of the study file, such as training.steps=200."
    ),
]
NewThresholds = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set a threshold, such as outcomes.persist=4."),
]
Setting = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A parameter of the setting, such as loss=hinge."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps; several as cuda:0,cuda:1.")]
DataRoot = Annotated[Path | None, typer.Option(help="Where torchvision's data sets are.")]
Download = Annotated[
    bool, typer.Option("--download", metavar="", help="Fetch a missing data set through torchvision.")
]
ClassifierFile = Annotated[Path | None, typer.Option("--classifier", help="Another classifier's weights.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads of each process; kept with the plan.")]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1, max=256, help="Processes that train at the same time; by default one per core or device."
    ),
]
AllowCode = Annotated[
    bool, typer.Option("--allow-code", metavar="", help="Import code of your own that a study names.")
]
AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON for machines.")]


class ReportFormat(StrEnum):
    """What `stability report` writes."""

    HTML = "html"
    JSON = "json"
    CSV = "csv"


class EngineName(StrEnum):
    """Where `stability run` trains, if not here."""

    RAY = "ray"
    SLURM = "slurm"


EngineChoice = Annotated[
    EngineName | None, typer.Option("--engine", help="Train on a cluster: ray or slurm; see docs/scaling.md.")
]
EngineOptions = Annotated[
    Path | None, typer.Option(metavar="FILE", help="What the cluster is asked for, such as gpus and time.")
]

Address = Annotated[str | None, typer.Option(help="Of the Ray cluster, such as auto.")]
Detach = Annotated[
    bool, typer.Option("--detach", metavar="", help="Let Slurm's jobs go on when this is stopped.")
]


class Tool(StrEnum):
    """What `stability export` writes for."""

    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"
    WANDB = "wandb"


class Live(StrEnum):
    """What `stability run` writes for while it trains."""

    TENSORBOARD = Tool.TENSORBOARD.value


LiveTool = Annotated[
    Live | None, typer.Option("--export", help="Also write the runs of each finished cohort for this tool.")
]

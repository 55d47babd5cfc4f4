"""A study's runs as one small file: what the package ships of the published comparisons of losses."""

from __future__ import annotations

import io
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from stability.reading.frames import StudyFrames
from stability.spec.loader import parse_study
from stability.store import FORMAT_VERSION, Plan

SHIPPED = resources.files("stability") / "data" / "atlas"
"""A file for each architecture of which there is one."""
STUDY = b"study.yaml"


def write_atlas(study: StudyFrames, study_yaml: str, path: Path) -> None:
    """Keep one row a run, with what `StudyFrames.runs` says of it, and the study file beside."""
    table = pa.Table.from_pandas(study.runs, preserve_index=False)
    table = table.replace_schema_metadata({**table.schema.metadata, STUDY: study_yaml.encode()})
    pq.write_table(table, path, compression="zstd")


def architectures() -> tuple[str, ...]:
    """Of which there is an atlas."""
    return tuple(sorted(file.name.removesuffix(".parquet") for file in SHIPPED.iterdir()))


def atlas_for(setting: Mapping[str, Any]) -> StudyFrames:
    """The runs that ship of the architecture that a setting names, if there are any, else those of MLPs."""
    files = {file.name: file for file in SHIPPED.iterdir()}
    file = files.get(f"{setting.get('architecture')}.parquet", files["mlp.parquet"])
    return read_atlas(file.read_bytes())


def read_atlas(content: bytes) -> StudyFrames:
    """The runs of an atlas: without records, visits and pictures."""
    table = pq.read_table(io.BytesIO(content))
    spec = parse_study(table.schema.metadata[STUDY].decode(), source="the atlas")
    nothing = pd.DataFrame()
    return StudyFrames(
        name=spec.name,
        spec=spec,
        plan=Plan(FORMAT_VERSION, 1, "cpu", spec.training.steps, (), ()),
        runs=table.to_pandas(),
        source=nothing,
        evaluations=nothing,
        events=nothing,
        folder=Path("atlas"),
    )


def about_atlas(atlas: StudyFrames) -> str:
    """Which study answers where none was named."""
    spec = atlas.spec
    what = f"{len(atlas.runs):,} runs of {spec.fixed['architecture']} on {spec.dataset}"
    return f"the atlas that ships, study {atlas.name}: {what}, {spec.training.steps:,} steps"

"""The tables of the study file, from the models that read it: key, default, what is allowed, what it does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from stability.spec import Config, Thresholds
from stability.spec.config import COMMON, MAX_NUMBER, RECIPES
from stability.spec.problems import describe
from stability.spec.sections import field_schema
from stability.spec.study import Design, Recording, StudySpec, Training

TABLES: dict[str, type[BaseModel]] = {
    "study": StudySpec,
    "parameters": Config,
    "design": Design,
    "training": Training,
    "recording": Recording,
    "thresholds": Thresholds,
}
LEFT_OUT = {"recipe", *(f"{name}_{network}" for name in COMMON for network in "gd")}
"""What no study file says, and each network's own of what is common to both: told beside the common one."""


def table(model: type[BaseModel]) -> str:
    """A Markdown table of a model's fields, in the order of its definition."""
    rows = [_row(model, name) for name in model.model_fields if name not in LEFT_OUT]
    return "\n".join(["| key | default | allowed | what it does |", "|---|---|---|---|", *rows]) + "\n"


def recipes() -> str:
    """A Markdown table of what each recipe sets."""
    rows = [
        f"| `{name}` | {', '.join(f'`{key}: {value}`' for key, value in sets.items())} |"
        for name, sets in RECIPES.items()
    ]
    return "\n".join(["| recipe | sets |", "|---|---|", *rows]) + "\n"


def _row(model: type[BaseModel], name: str) -> str:
    field = model.model_fields[name]
    own = f"; `{name}_g`, `{name}_d`" if model is Config and name in COMMON else ""
    cells = (
        f"`{name}`{own}",
        "" if field.is_required() else _default(field.get_default(call_default_factory=True)),
        _allowed(field_schema(model, name)),
        (field.description or "").strip() + (" (`_g`, `_d`: each network's own.)" if own else ""),
    )
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"


def _default(value: Any) -> str:
    if value is PydanticUndefined or isinstance(value, BaseModel) or value == {}:
        return ""
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{'null' if value is None else str(value).lower() if isinstance(value, bool) else value}`"


def _allowed(schema: dict[str, Any]) -> str:
    if {"$ref", "additionalProperties"} & schema.keys():
        return "a section"
    return describe({key: value for key, value in schema.items() if value != MAX_NUMBER})


def write(folder: Path) -> None:
    """Write every table into a file of its own."""
    folder.mkdir(exist_ok=True)
    for name, model in TABLES.items():
        (folder / f"{name}.md").write_text(table(model), encoding="utf-8")
    (folder / "recipes.md").write_text(recipes(), encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Write the tables before the pages that include them are read."""
    app.connect("builder-inited", lambda app: write(Path(app.srcdir) / "_generated"))
    return {"parallel_read_safe": True}

"""Each section of a study file by itself: plain values -> typed parts, or the problems with them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from stability.spec.config import PARAMETERS, RECIPES, Config
from stability.spec.problems import Path, Problem, must_be, show, unknown
from stability.spec.study import DATASETS, IMAGE_SIZES, NAME, RESERVED, Choice, ImageSize, Range
from stability.spec.synonyms import ours

Model = TypeVar("Model", bound=BaseModel)
Problems = list[Problem]
RANGE_KEYS = ("low", "high", "log", "levels")
NEEDED = ("low", "high")
NAME_WORDS = "1 to 64 letters, digits, - and _, beginning with a letter or digit"
FOLDER = "folder:"
MAX_FOLDER, MAX_PART = 1_000, 255
"""Characters of a path, and bytes between two of its slashes."""


def read_mapping(data: Any, path: Path, problems: Problems) -> dict[str, Any]:
    """The mapping itself, or an empty one and a problem."""
    if isinstance(data, dict):
        return data
    problems.append(Problem(path, f"must be a mapping (key: value), not {show(data)}"))
    return {}


def read_model(model: type[Model], data: Any, path: Path, problems: Problems) -> Model | None:
    """A section whose keys are a model's fields, in strict types; `None` when it has problems."""
    found: Problems = []
    known = _known_keys(read_mapping(data, path, found), path, tuple(model.model_fields), found)
    try:
        section = model.model_validate(known, strict=True)
    except ValidationError as error:
        found += _translate(error, model, path)
        section = None
    for key, value in known.items():
        if isinstance(value, tuple):
            found += repeated(value, (*path, key))
        if value is None:
            found.append(Problem((*path, key), must_be(field_schema(model, key), None)))
    problems += found
    return None if found else section


def read_name(data: Mapping[str, Any], problems: Problems) -> str:
    """The study's name, which also names its results folder."""
    name = data.get("name")
    if "name" not in data:
        problems.append(Problem((), "name is missing; every study needs one"))
    elif not isinstance(name, str) or not NAME.fullmatch(name):
        problems.append(Problem(("name",), f"must be text of {NAME_WORDS}, not {show(name)}"))
    elif RESERVED.fullmatch(name):
        problems.append(Problem(("name",), f"{show(name)} is reserved on some systems; give another name"))
    return str(name)


def read_observed(data: Mapping[str, Any], problems: Problems) -> bool:
    """Whether the runs were trained elsewhere."""
    observed = data.get("observed", False)
    if not isinstance(observed, bool):
        problems.append(Problem(("observed",), f"must be true or false, not {show(observed)}"))
    return observed is True


def read_dataset(data: Mapping[str, Any], problems: Problems, *, any_name: bool = False) -> str:
    """A data set by name, or `folder:PATH`; of an observed study whatever its owner calls it."""
    dataset = data.get("dataset", DATASETS[0])
    if any_name and isinstance(dataset, str) and dataset.isprintable() and len(dataset) <= MAX_FOLDER:
        return dataset
    folder = dataset[len(FOLDER) :] if isinstance(dataset, str) and dataset.startswith(FOLDER) else ""
    if dataset not in DATASETS and not (folder.strip() and folder.isprintable()):
        schema = {"enum": [*DATASETS, "folder:PATH"]}
        problems.append(Problem(("dataset",), must_be(schema, dataset)))
    elif max(len(part.encode()) for part in folder.split("/")) > MAX_PART or len(folder) > MAX_FOLDER:
        problems.append(Problem(("dataset",), f"{show(dataset)} is longer than a path can be"))
    elif folder.startswith("~") and folder.split("/")[0] != "~":
        problems.append(Problem(("dataset",), f"{show(dataset)}: of folders of users only ~/ is known"))
    return str(dataset)


def read_image_size(data: Mapping[str, Any], problems: Problems) -> ImageSize | None:
    """The side length that images are brought to; none given means their own."""
    if "image_size" not in data:
        return None
    size = data["image_size"]
    if type(size) is int and size in IMAGE_SIZES:
        return cast(ImageSize, size)
    problems.append(Problem(("image_size",), must_be({"enum": list(IMAGE_SIZES)}, size)))
    return None


def read_space(data: Any, problems: Problems, *, any_name: bool = False) -> dict[str, Range | Choice]:
    """What is sampled: lists and ranges by parameter; with `any_name` whatever has differed between runs."""
    space: dict[str, Range | Choice] = {}
    entries = _parameters(data, ("space",), problems, any_name=any_name)
    for name, value in entries.items():
        found: Problems = []
        factor = _seen(name, value, found) if any_name else _factor(name, value, found)
        problems += found
        if factor is not None and not found:
            space[name] = factor
    return space


def read_settings(data: Any, path: Path, problems: Problems, *, any_name: bool = False) -> dict[str, Any]:
    """Single values by parameter: what is the same in every run, or in those of a variant."""
    settings: dict[str, Any] = {}
    entries = _parameters(data, path, problems, any_name=any_name)
    for name, value in entries.items():
        if isinstance(value, tuple | dict):
            words = "must be a single value; a list or a range to sample from goes under space"
            problems.append(Problem((*path, name), words))
        else:
            settings[name] = value if any_name else read_value(name, value, (*path, name), problems)
    return settings


def read_named(data: Any, section: str, problems: Problems) -> dict[str, dict[str, Any]]:
    """Settings by a name that becomes part of runs' names, all of them different."""
    entries = read_mapping(data, (section,), problems)
    lower = [name.lower() for name in entries]
    named: dict[str, dict[str, Any]] = {}
    for place, (name, values) in enumerate(entries.items()):
        path = (section, name)
        if not NAME.fullmatch(name):
            problems.append(Problem(path, f"its name must be {NAME_WORDS}"))
        if lower[place] in lower[:place]:
            problems.append(Problem(path, "is there before, in another case"))
        settings = read_settings(values, path, problems)
        same = next((other for other, known in named.items() if known == settings), None)
        if same is not None:
            problems.append(Problem(path, f"sets the same as {same}"))
        named[name] = settings
    return named


def read_value(name: str, value: Any, path: Path, problems: Problems) -> Any:
    """One value of a parameter, in the parameter's own type and within its limits."""
    if name == "loss" and isinstance(value, str) and value in RECIPES:
        return value
    try:
        return getattr(Config.model_validate({name: value}, strict=True), name)
    except ValidationError:
        problems.append(Problem(path, must_be(parameter_schema(name), value)))
        return None


def repeated(values: tuple[Any, ...], path: Path) -> Problems:
    """A problem for every item that stands in the list before."""
    return [
        Problem((*path, index), f"{show(value)} is in the list twice")
        for index, value in enumerate(values)
        if value in values[:index]
    ]


@cache
def parameter_schema(name: str) -> dict[str, Any]:
    """The JSON schema of a parameter; a recipe may stand where a loss does."""
    schema = field_schema(Config, name, with_null=True)
    return {"enum": [*schema["enum"][:-1], *RECIPES, schema["enum"][-1]]} if name == "loss" else schema


@cache
def field_schema(model: type[BaseModel], name: str, with_null: bool = False) -> dict[str, Any]:
    """The JSON schema of a model's field, by default without its null: leaving a key out says as much."""
    schema: dict[str, Any] = model.model_json_schema()["properties"][name]
    options = [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]
    return options[0] if len(options) == 1 and not with_null else schema


def _known_keys(
    data: Mapping[str, Any], path: Path, allowed: tuple[str, ...], problems: Problems, kind: str = "key"
) -> dict[str, Any]:
    """The entries that may stand here, their lists as tuples."""
    for key in data:
        if key not in allowed:
            meant = ours(key) if kind == "parameter" else None
            problems.append(Problem((*path, key), unknown(kind, key, allowed, meant)))
    return {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in data.items()
        if key in allowed
    }


def _parameters(data: Any, path: Path, problems: Problems, *, any_name: bool) -> dict[str, Any]:
    """Entries by parameter, or by any name at all."""
    entries = read_mapping(data, path, problems)
    allowed = tuple(entries) if any_name else PARAMETERS
    return _known_keys(entries, path, allowed, problems, "parameter")


def _seen(name: str, value: Any, problems: Problems) -> Range | Choice | None:
    """What a setting of the owner's own has been: a list, or the lowest and the highest number."""
    path = ("space", name)
    if isinstance(value, tuple):
        return Choice(values=value)
    entries = dict(read_mapping(value, path, problems))
    integer = all(type(entries.get(key)) is int for key in NEEDED)
    found = read_model(Range, entries, path, problems)
    return None if found is None else found.model_copy(update={"integer": integer})


def _translate(error: ValidationError, model: type[BaseModel], path: Path) -> Problems:
    problems = []
    for detail in error.errors(include_url=False, include_context=False):
        name, *rest = detail["loc"]
        schema = field_schema(model, str(name))
        if detail["input"] is None and not rest:
            continue  # told by the caller, for fields that would take a null, too
        if rest and "items" in schema:
            schema = schema["items"]
        problems.append(Problem((*path, name, *rest), must_be(schema, detail["input"])))
    return problems


def _factor(name: str, value: Any, problems: Problems) -> Range | Choice | None:
    path = ("space", name)
    if isinstance(value, dict):
        return _range(name, value, path, problems)
    if not isinstance(value, tuple):
        words = "must be a list to choose from or {low: ..., high: ...}; a single value goes under fixed"
        problems.append(Problem(path, words))
        return None
    if not value:
        problems.append(Problem(path, "must not be empty; list at least one value"))
    items = enumerate(value)
    values = tuple(read_value(name, item, (*path, index), problems) for index, item in items)
    if not problems:
        problems += repeated(values, path)
    return Choice(values=values)


def _range(name: str, data: dict[str, Any], path: Path, problems: Problems) -> Range | None:
    schema = parameter_schema(name)
    if "enum" in schema:
        words = f"must be a list, each one of {', '.join(schema['enum'])}; it has no low and high"
        problems.append(Problem(path, words))
        return None
    if schema.get("type") == "boolean":
        problems.append(Problem(path, "must be a list of true and false; it has no low and high"))
        return None
    entries = _known_keys(data, path, RANGE_KEYS, problems)
    for key in NEEDED:
        if key not in entries:
            problems.append(Problem(path, f"{key} is missing; a range needs both low and high"))
    for key in [key for key in NEEDED if key in entries]:
        _end(name, entries, (*path, key), problems)
    for key in [key for key in ("log", "levels") if key in entries]:
        read_model(Range, {"low": 0, "high": 1, key: entries[key]}, path, problems)
    if problems:
        return None
    factor = Range(**entries, integer=field_schema(Config, name).get("type") == "integer")
    if factor.low >= factor.high:
        words = f"{show(entries['low'])} must be below high, {show(entries['high'])}"
        problems.append(Problem((*path, "low"), words))
    return factor


def _end(name: str, entries: dict[str, Any], path: Path, problems: Problems) -> None:
    key = str(path[-1])
    value = entries[key]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and value <= 0 and entries.get("log") is True:
        problems.append(Problem(path, f"{show(value)} must be positive when log is true"))
    elif value is None:
        problems.append(Problem(path, "must be a number, not null"))
    else:
        read_value(name, value, path, problems)

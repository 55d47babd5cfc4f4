"""study.yaml -> `StudySpec` and back. Whatever is wrong with a file is told in one line."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any

from ruamel.yaml import YAML

from stability.errors import StabilityError
from stability.spec.problems import Path, Problem, one_line, unknown
from stability.spec.relations import code_problems, relations
from stability.spec.sections import (
    Problems,
    read_dataset,
    read_image_size,
    read_model,
    read_name,
    read_named,
    read_observed,
    read_settings,
    read_space,
)
from stability.spec.source import Source, read_source
from stability.spec.study import Choice, Design, Range, Recording, StudySpec, Training
from stability.spec.thresholds import Thresholds

MAX_BYTES = 250_000
MAX_PATH = 1_000
"""Of a file's own name in an error, which is cut beyond."""


def load_study(path: FilePath, overrides: Sequence[str] = (), *, allow_code: bool = True) -> StudySpec:
    """Read and check a study file; each override is a `key.key=value` that wins over the file.

    Raises `StabilityError`, one line with file, line and field, for anything that is wrong; without
    `allow_code` also for an architecture that is the user's own code, which is never imported here.
    """
    return parse_study(*read_text(path), overrides, allow_code=allow_code)


def place_of(text: str, source: str, key: Path, overrides: Sequence[str] = ()) -> str:
    """Where a study file's text gives a value, for what is found wrong with it later.

    `study.yaml:2: dataset`, or `--set dataset`; without a line where it is not written.
    """
    return read_source(text, source, overrides).place(key)


def read_text(path: FilePath) -> tuple[str, str]:
    """A study file's text, and what errors call the file.

    Raises `StabilityError`: it cannot be read, is too large or no text.
    """
    where = one_line(str(path), MAX_PATH)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise StabilityError(f"{where}: no such file; `stability init` writes one to start from") from None
    except IsADirectoryError:
        raise StabilityError(f"{where}: is a directory, not a study file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StabilityError(f"{where}: cannot be read: {reason}") from None
    return _decode(content, where), where


def parse_study(
    text: str, source: str = "study.yaml", overrides: Sequence[str] = (), *, allow_code: bool = True
) -> StudySpec:
    """The study that a study file's text describes; `source` is the name that errors give it.

    Raises `StabilityError`, one line with file, line and field, for anything that is wrong; without
    `allow_code` also for an architecture that is the user's own code.
    """
    if len(text) > MAX_BYTES:
        raise _too_large(source)
    written = read_source(text, source, overrides)
    problems: Problems = []
    spec = _read(written, problems)
    if problems:
        raise written.error(problems)
    problems = relations(spec, given=written.data.get("design", {}))
    if not problems and not allow_code:
        problems = code_problems(spec)
    if problems:
        raise written.error(problems)
    return _resolve(spec)


def dump_study(spec: StudySpec) -> str:
    """The study as YAML with every default written out; it loads back to an equal study."""
    data = spec.model_dump(exclude={"space"}, exclude_none=True)
    data["fixed"] = spec.fixed
    data["design"]["cross"] = spec.crossed
    data["space"] = {name: _plain(factor) for name, factor in spec.space.items()}
    data |= {"variants": spec.variants, "configs": spec.configs}
    unsaid = {name for name in ("variants", "configs", "observed") if not data[name]}
    ordered = {name: data[name] for name in StudySpec.model_fields if name in data.keys() - unsaid}
    yaml = YAML(typ="rt", pure=True)
    yaml.width = 100_000
    stream = io.StringIO()
    yaml.dump(_lists(ordered), stream)
    return stream.getvalue()


def _decode(content: bytes, source: str) -> str:
    if len(content) > MAX_BYTES:
        raise _too_large(source)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1  # of its object: content may begin with a mark
        byte = error.object[error.start]
        raise StabilityError(
            f"{source}:{line}: not UTF-8: byte 0x{byte:02x}; save the file as UTF-8"
        ) from None


def _too_large(source: str) -> StabilityError:
    return StabilityError(f"{source}: is larger than 250 kB; a study file is a few lines")


def _read(source: Source, problems: Problems) -> StudySpec:
    """Every section by itself."""
    _name_configs(source)
    data = source.data
    observed = read_observed(data, problems)
    keys = tuple(StudySpec.model_fields)
    problems += [Problem((key,), unknown("key", key, keys)) for key in data if key not in keys]
    return StudySpec(
        name=read_name(data, problems),
        dataset=read_dataset(data, problems, any_name=observed),
        image_size=read_image_size(data, problems),
        observed=observed,
        space=read_space(data.get("space", {}), problems, any_name=observed),
        fixed=read_settings(data.get("fixed", {}), ("fixed",), problems, any_name=observed),
        variants=read_named(data.get("variants", {}), "variants", problems),
        configs=read_named(data.get("configs", {}), "configs", problems),
        design=read_model(Design, data.get("design", {}), ("design",), problems) or Design(),
        training=read_model(Training, data.get("training", {}), ("training",), problems) or Training(),
        recording=read_model(Recording, data.get("recording", {}), ("recording",), problems) or Recording(),
        outcomes=read_model(Thresholds, data.get("outcomes", {}), ("outcomes",), problems) or Thresholds(),
    )


def _name_configs(source: Source) -> None:
    """Names for configurations that stand in a list, and their lines by these: config-1, config-2, ..."""
    listed = source.data.get("configs")
    if not isinstance(listed, list):
        return
    names = [f"config-{place}" for place in range(1, len(listed) + 1)]
    source.data["configs"] = dict(zip(names, listed, strict=True))
    for path, line in list(source.lines.items()):
        if path[0] == "configs" and len(path) > 1 and isinstance(path[1], int):
            source.lines["configs", names[path[1]], *path[2:]] = line


def _resolve(spec: StudySpec) -> StudySpec:
    """Write out what follows from the rest: the crossed factors, and the points of a grid or of configs."""
    sampler = "given" if spec.configs else spec.design.sampler
    known = {"sampler": sampler, "cross": spec.crossed, "points": spec.n_points}
    return spec.model_copy(update={"design": spec.design.model_copy(update=known)})


def _plain(factor: Range | Choice) -> Any:
    if isinstance(factor, Choice):
        return factor.values
    ends = (int(factor.low), int(factor.high)) if factor.integer else (factor.low, factor.high)
    plain: dict[str, Any] = {"low": ends[0], "high": ends[1], "log": factor.log}
    return plain if factor.levels is None else {**plain, "levels": factor.levels}


def _lists(value: Any) -> Any:
    """Tuples as lists, and everything anew, since YAML would write one list that stands twice as an alias."""
    if isinstance(value, dict):
        return {key: _lists(inner) for key, inner in value.items()}
    return [_lists(inner) for inner in value] if isinstance(value, list | tuple) else value

"""A study file's text -> plain values, each with the place where it was written. Knows YAML, no study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from stability.errors import StabilityError
from stability.spec.nodes import Refused, compose
from stability.spec.problems import Path, Problem, dotted, one_line, show

MAX_INTEGER = 2**63 - 1
TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Source:
    """What a study file says, before anything of it is checked."""

    name: str
    """The file, as the user named it."""
    data: dict[str, Any]
    lines: dict[Path, int] = field(default_factory=dict)
    """Of every key and list item, counted from 1."""
    overridden: set[Path] = field(default_factory=set)
    """Paths that were set on the command line."""

    def error(self, problems: Sequence[Problem]) -> StabilityError:
        """The first problem in the order of the file (the command line before it), and how many more."""
        first, *more = sorted(problems, key=self._order)
        tail = f" (and {len(more)} more)" if more else ""
        return StabilityError(f"{self._where(first.path)}: {first.message}{tail}")

    def place(self, path: Path) -> str:
        """Where a value is written, `study.yaml:2: dataset`; without a line where it is not."""
        is_written = path in self.lines or self._is_overridden(path)
        return self._where(path) if is_written else f"{self.name}: {dotted(path)}"

    def _order(self, problem: Problem) -> int:
        return 0 if self._is_overridden(problem.path) else self._line(problem.path)

    def _where(self, path: Path) -> str:
        if self._is_overridden(path):
            return f"--set {dotted(path)}"
        words = dotted(path)
        return f"{self.name}:{self._line(path)}" + (f": {words}" if words else "")

    def _is_overridden(self, path: Path) -> bool:
        """Whether a value was set on the command line, or stands above one that was and in no file."""
        is_set = any(path[:length] in self.overridden for length in range(1, len(path) + 1))
        is_above = bool(path) and any(key[: len(path)] == path for key in self.overridden)
        return is_set or (is_above and path not in self.lines)

    def _line(self, path: Path) -> int:
        known = (self.lines.get(path[:length]) for length in range(len(path), 0, -1))
        return next((line for line in known if line is not None), 1)


def read_source(text: str, name: str, overrides: Sequence[str]) -> Source:
    """Parse a study file and write the command line's `key.key=value` over it."""
    lines: dict[Path, int] = {}
    data = _Reader(name, lines).read(text)
    if data is None:
        raise StabilityError(f"{name}:1: the file is empty; it needs at least a name")
    if not isinstance(data, dict):
        raise StabilityError(f"{name}:1: must be a mapping (key: value), not {show(data)}")
    source = Source(name, data, lines)
    for override in overrides:
        _override(source, override)
    return source


def _override(source: Source, override: str) -> None:
    key, equals, text = override.partition("=")
    key = key.strip()
    path = tuple(key.split("."))
    where = f"--set {dotted(path)}"
    if not equals or not all(path):
        raise StabilityError(f"{where}: must be written key.key=value, such as training.steps=200")
    value = _Reader(where).read(text)
    inner = source.data
    for depth, part in enumerate(path[:-1]):
        inner = inner.setdefault(part, {})
        if not isinstance(inner, dict):
            parent = dotted(path[: depth + 1])
            raise StabilityError(f"{where}: {parent} is {show(inner)}, which has no keys to set")
    inner[path[-1]] = value
    source.overridden.add(path)


def _integer(text: str) -> int:
    digits = text.replace("_", "").lower()
    value = int(digits, 0 if digits.lstrip("+-")[:2] in ("0b", "0o", "0x") else 10)
    if abs(value) > MAX_INTEGER:
        raise ValueError
    return value


def _number(text: str) -> float:
    return float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))


SCALARS: dict[str, Callable[[str], Any]] = {
    "null": lambda text: None,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "int": _integer,
    "float": _number,
}
TEXTS = frozenset({"str", "timestamp", "merge", "value"})
"""What YAML resolves a plain word to besides; a study file means them as text."""


class _Reader:
    """Builds plain values from YAML's nodes; refuses what a study file has no use for."""

    def __init__(self, where: str, lines: dict[Path, int] | None = None) -> None:
        self._where = where
        self._counts_lines = lines is not None
        self._lines: dict[Path, int] = {} if lines is None else lines

    def read(self, text: str) -> Any:
        try:
            node = compose(text)
        except Refused as refused:
            raise self._error(refused.line, refused.path, refused.message) from None
        return None if node is None else self._value(node, ())

    def _value(self, node: Node, path: Path) -> Any:
        line = node.start_mark.line
        if isinstance(node, MappingNode) and node.tag == TAG + "map":
            return self._mapping(node, path)
        if isinstance(node, SequenceNode) and node.tag == TAG + "seq":
            return self._items(node, path)
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        raise self._error(line, path, f"tags such as {one_line(str(node.tag))} are not supported")

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line
            if not isinstance(key_node, ScalarNode):
                raise self._error(line, path, "a key must be a word")
            inner = (*path, str(key_node.value))
            self._scalar(key_node, inner)
            if key_node.value in values:
                raise self._error(line, inner, f"given twice, first on line {self._lines[inner]}")
            self._lines[inner] = line + 1
            values[key_node.value] = self._value(value_node, inner)
        return values

    def _items(self, node: SequenceNode, path: Path) -> list[Any]:
        for index, item in enumerate(node.value):
            self._lines[(*path, index)] = item.start_mark.line + 1
        return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]

    def _scalar(self, node: ScalarNode, path: Path) -> Any:
        kind, text = str(node.tag).removeprefix(TAG), str(node.value)
        if kind in TEXTS:
            return text
        if kind not in SCALARS:
            raise self._error(
                node.start_mark.line, path, f"tags such as {one_line(str(node.tag))} are not supported"
            )
        try:
            return SCALARS[kind](text)
        except (ValueError, KeyError):
            words = f"{show(text)} cannot be read as {kind}"
            raise self._error(node.start_mark.line, path, words) from None

    def _error(self, line: int, path: Path, message: str) -> StabilityError:
        words = f": {dotted(path)}" if dotted(path) else ""
        where = f"{self._where}:{line + 1}" if self._counts_lines else self._where
        return StabilityError(" ".join(f"{where}{words}: {message}".split()))

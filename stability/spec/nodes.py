"""A study file's text -> YAML's nodes, and no more of them than a study has use for. Imports no study.

The limits hold while the file is being read, so that a hostile one is refused before it is built.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from stability.spec.problems import Path, one_line, show

MAX_DEPTH = 16
MAX_ITEMS = 500
"""In a list, or keys in a mapping."""
MAX_NODES = 10_000
"""Keys and values of the whole file."""


@dataclass
class Refused(Exception):
    """What a text cannot be read for."""

    line: int
    """Counted from 0."""
    path: Path
    message: str


def compose(text: str) -> Node | None:
    """The root of a YAML document's nodes; `None` where there is nothing.

    Raises `Refused`: it is no YAML, it has anchors or aliases, or it is deeper or longer than the limits.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _Limited
    try:
        root: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = one_line(str(error.problem or error.context))
        raise Refused(mark.line if mark else 0, (), f"not valid YAML: {words}") from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position)
        words = f"character {show(text[error.position : error.position + 1])} is not allowed"
        raise Refused(line, (), f"not valid YAML: {words}") from None
    except (YAMLError, ValueError, OverflowError) as error:  # the last one for \U99999999
        raise Refused(0, (), f"not valid YAML: {one_line(str(error))}") from None
    return root


class _Limited(Composer):
    """Keeps count, and knows the keys that lead to the node under way."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader=loader)
        self.count = 0
        self.path: Path = ()
        self.places: list[int] = [0]

    def compose_node(self, parent: Node | None, index: Any) -> Node:
        event = self.parser.peek_event()
        outer = self.path
        self.count += 1
        self.places[-1] += 1
        is_value = isinstance(index, ScalarNode)
        if is_value or isinstance(index, int):
            self.path = (*outer, str(index.value) if is_value else index)
        if problem := self._problem(event, parent):
            raise Refused(event.start_mark.line, self.path, problem)
        self.places.append(0)
        node: Node = super().compose_node(parent, index)
        self.places.pop()
        self.path = outer
        return node

    def _problem(self, event: Any, parent: Node | None) -> str:
        """What is too much about the node that begins with this event."""
        is_list = isinstance(parent, SequenceNode)
        if isinstance(event, AliasEvent) or event.anchor is not None:
            return "anchors and aliases (&, *) are not supported; write the value out"
        if len(self.places) > MAX_DEPTH:
            return "nested too deeply"
        if self.places[-1] > (MAX_ITEMS if is_list else 2 * MAX_ITEMS):
            return f"is longer than {MAX_ITEMS} {'values' if is_list else 'keys'}"
        if self.count > MAX_NODES:
            return f"the file has more than {MAX_NODES} keys and values"
        return ""

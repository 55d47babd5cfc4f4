"""Code of the user's own that a study file names as `package.module:attribute`."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from stability.errors import StabilityError


@cache
def registered(kind: str, name: str) -> str | None:
    """What an installed package calls so by an entry point of the group `stability.<kind>`.

    That is its `package.module:attribute`, of which nothing is imported; None where no package does, or
    where two mean different things.
    """
    found = {entry.value for entry in entry_points(group=f"stability.{kind}", name=name)}
    return found.pop() if len(found) == 1 else None


def find_own(name: str) -> Any:
    """The attribute of the module, which this imports.

    The module is looked for in the current directory first, then where Python always looks.

    Raises:
        StabilityError: in one line, where there is no such attribute or importing the module fails.

    """
    module_name, _, attribute = name.partition(":")
    module = _imported(name, module_name)
    if not hasattr(module, attribute):
        raise StabilityError(f"{name}: module {module_name} has no {attribute}")
    return getattr(module, attribute)


def source_digest(name: str) -> str:
    """The SHA-256 of the file that it is written in; empty where there is none.

    Raises StabilityError where it cannot be imported.
    """
    find_own(name)
    file = sys.modules[name.partition(":")[0]].__file__
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""


@contextmanager
def errors_of_own_code(where: str) -> Iterator[None]:
    """Anything that goes wrong in somebody's code, in one line."""
    try:
        yield
    except StabilityError:
        raise
    except Exception as error:
        raise StabilityError(f"{where}: {one_line(error)}") from error


def _imported(name: str, module_name: str) -> ModuleType:
    if module_name in sys.modules:
        return sys.modules[module_name]
    try:
        with _current_directory_first():
            return importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and _is_within(error.name, module_name):
            raise StabilityError(f"{name}: no module {error.name} in {os.getcwd()} or installed") from error
        raise StabilityError(f"{name}: importing {module_name} failed: {one_line(error)}") from error


def _is_within(missing: str | None, module_name: str) -> bool:
    """Whether the missing module is the one asked for or a package that holds it."""
    return missing is not None and f"{module_name}.".startswith(f"{missing}.")


@contextmanager
def _current_directory_first() -> Iterator[None]:
    here = os.getcwd()
    needed = not {"", here} & set(sys.path)
    importlib.invalidate_caches()  # the file may be younger than what Python remembers of its folder
    if needed:
        sys.path.insert(0, here)
    try:
        yield
    finally:
        if needed and here in sys.path:
            sys.path.remove(here)


def one_line(error: BaseException) -> str:
    """An error's type and the first line of what it says."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}".removesuffix(": ")

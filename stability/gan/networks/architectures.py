"""The architectures that a study file can name: the package's own, and any pair that can be imported."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from stability.errors import StabilityError
from stability.gan.networks.dcgan import CONDITIONAL, DCGAN
from stability.gan.networks.dense import FULLY_CONNECTED, MLP
from stability.gan.networks.dirac import DIRAC
from stability.gan.networks.maxout import MAXOUT
from stability.gan.networks.pair import Pair
from stability.gan.networks.unpool import UNPOOL
from stability.spec.config import is_own_architecture

ARCHITECTURES: dict[str, Pair] = {
    "mlp": MLP,
    "dcgan": DCGAN,
    "conditional": CONDITIONAL,
    "unpool": UNPOOL,
    "fully-connected": FULLY_CONNECTED,
    "maxout": MAXOUT,
    "dirac": DIRAC,
}


def find_pair(name: str) -> Pair:
    """The pair of this name: the package's own, or `package.module:attribute`, which imports the module.

    The module is looked for in the current directory first, then where Python always looks.

    Raises:
        StabilityError: in one line, where there is no such pair or importing the module fails.

    """
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    if not is_own_architecture(name):
        allowed = ", ".join(ARCHITECTURES)
        raise StabilityError(f"{name}: no such architecture; allowed: {allowed} or package.module:pair")
    module_name, _, attribute = name.partition(":")
    module = _imported(name, module_name)
    if not hasattr(module, attribute):
        raise StabilityError(f"{name}: module {module_name} has no {attribute}")
    pair = getattr(module, attribute)
    if not isinstance(pair, Pair):
        raise StabilityError(f"{name}: is a {type(pair).__name__}, not a stability.gan.networks.Pair")
    return pair


def source_digest(name: str) -> str:
    """The SHA-256 of the file that a pair of the user's own is written in; empty where there is none.

    Raises StabilityError where it cannot be imported.
    """
    find_pair(name)
    file = sys.modules[name.partition(":")[0]].__file__
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""


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

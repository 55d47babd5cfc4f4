"""The package declares what it needs."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from stability import __version__

ROOT = Path(__file__).parents[1]
EXTRAS = {"ray": "ray", "submitit": "slurm", "lightning": "lightning"}
"""Modules that not everybody needs, by the extra that brings them."""
OLDER_NAMES = {"pytorch_lightning"}
"""Of such modules, where they are installed under these."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def imported() -> set[str]:
    modules = set()
    for path in (ROOT / "stability").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.partition(".")[0])
    return modules - set(sys.stdlib_module_names) - {"stability"}


def test_every_import_is_a_declared_dependency_and_the_other_way_round() -> None:
    owners = packages_distributions()
    needed = {
        owners[module][0].lower().replace("_", "-") for module in imported() - EXTRAS.keys() - OLDER_NAMES
    }
    declared = {re.match(r"[\w.-]+", line)[0] for line in PROJECT["dependencies"]}
    assert needed == declared


def test_studies_and_demos_are_in_the_wheel() -> None:
    package = ROOT / "stability"
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    packed = {path for pattern in tools["package-data"]["stability"] for path in package.glob(pattern)}
    studies = package / "data" / "studies"
    wanted = {*studies.glob("*.yaml"), *studies.glob("demos/*.yaml"), studies / "times.json"}
    wanted |= {path for path in (package / "data" / "demos").rglob("*") if path.is_file()}
    assert len(wanted) > 50
    assert wanted <= packed


def test_what_not_everybody_needs_is_an_extra() -> None:
    assert EXTRAS.keys() <= imported()
    for module, extra in EXTRAS.items():
        assert [line for line in PROJECT["optional-dependencies"][extra] if line.startswith(module)] != []


def test_the_version_is_told_once_and_cited() -> None:
    assert PROJECT["dynamic"] == ["version"]
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert cited is not None
    assert cited[1] == __version__

"""The study files that come with the project: they load, and what they say of defaults is true."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from stability.spec import Config, StudySpec, Thresholds, load_study, parse_study
from stability.spec.study import Design, Recording, Training

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "stability" / "cli" / "study.yaml"
SECTIONS = {
    "": StudySpec,
    "fixed": Config,
    "design": Design,
    "training": Training,
    "recording": Recording,
    "outcomes": Thresholds,
}


def commented_options() -> dict[tuple[str, str], tuple[Any, str]]:
    """By section and name: the value and the text behind it of every option that is commented out."""
    found = {}
    section = ""
    for line in TEMPLATE.read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"(\w+):", line):
            section = heading[1]
        if option := re.match(r"(\s*)# (\w+): (\S+)\s+# (.*)", line):
            indent, name, value, text = option.groups()
            found[section if indent else "", name] = YAML(typ="safe").load(StringIO(value)), text
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_study_loads_under_its_own_name(path: Path) -> None:
    assert load_study(path).name == path.stem


def test_the_study_in_the_readme_loads() -> None:
    [text] = re.findall(
        r"^```yaml\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    assert parse_study(text).space


def test_the_templates_commented_options_are_at_their_defaults() -> None:
    options = commented_options()
    examples = {key for key, (_, text) in options.items() if text.startswith("for example")}
    assert examples == {("", "image_size"), ("training", "cohort_size")}
    wrong = {
        key: value
        for key, (value, _) in options.items()
        if key not in examples and value != SECTIONS[key[0]].model_fields[key[1]].default
    }
    assert wrong == {}
    assert {section for section, _ in options} == {"", "fixed", "training", "outcomes"}


def test_the_template_changes_no_default_of_training_recording_and_outcomes() -> None:
    spec = load_study(TEMPLATE)
    assert (spec.training, spec.recording, spec.outcomes) == (Training(), Recording(), Thresholds())
    assert spec.design == Design(cross=("loss",))
    assert spec.fixed == {name: Config.model_fields[name].default for name in spec.fixed}

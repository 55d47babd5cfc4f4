"""The study files that come with the project: they load, and what they say of defaults is true."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any, get_args

import pytest
from ruamel.yaml import YAML

from stability.gan.losses import check_loss
from stability.gan.networks import ImageShape, check_pair
from stability.spec import Config, StudySpec, Thresholds, load_study, parse_study
from stability.spec.config import (
    ARCHITECTURE_NAMES,
    LOSS_NAMES,
    PARAMETERS,
    RECIPES,
    Activation,
    BatchNorm,
    Init,
    InputRange,
    Latent,
    Norm,
    Optimizer,
    Penalty,
    Schedule,
)
from stability.spec.study import DATASETS, Compile, Design, Recording, Training

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "stability" / "cli" / "study.yaml"
README = ROOT / "README.md"
LITERALS = (Penalty, BatchNorm, Optimizer, Latent, Activation, InputRange, Norm, Init, Schedule)
CHOICES = (
    *DATASETS,
    *ARCHITECTURE_NAMES,
    *LOSS_NAMES,
    *RECIPES,
    *(name for kind in LITERALS for name in get_args(kind)),
)
"""Every name that a study file can choose."""
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


def readme_block(language: str, holding: str = "") -> str:
    """The README's only block of code in a language that holds these words."""
    pattern = re.compile(rf"^```{language}\n(.*?)^```", re.DOTALL | re.MULTILINE)
    (block,) = (text for text in pattern.findall(README.read_text(encoding="utf-8")) if holding in text)
    return str(block)


def test_the_study_in_the_readme_loads() -> None:
    assert parse_study(readme_block("yaml")).space


@pytest.mark.parametrize("parameters", [{}, {"dropout": 0.2}, {"packing": 2, "batchnorm": "none"}], ids=str)
def test_the_networks_in_the_readme_can_be_trained(
    parameters: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "readme_nets.py").write_text(readme_block("python", "pair ="), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    check_pair(Config(architecture="readme_nets:pair", **parameters), ImageShape(1, 28))


def test_the_loss_in_the_readme_can_be_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "readme_loss.py").write_text(readme_block("python", "loss ="), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    check_loss("readme_loss:loss")


def test_the_template_names_every_choice() -> None:
    named = set(re.findall(r"[\w-]+", TEMPLATE.read_text(encoding="utf-8")))
    assert {*CHOICES, *get_args(Compile)} - named == set()


def test_the_template_has_a_line_for_every_parameter() -> None:
    commented = {name for section, name in commented_options() if section == "fixed"}
    assert commented | set(load_study(TEMPLATE).fixed) == set(PARAMETERS)


def test_the_readme_explains_every_choice_and_parameter() -> None:
    prose = re.sub(r"^```.*?^```", "", README.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    named = {word for code in re.findall(r"`([^`]+)`", prose) for word in re.findall(r"[\w-]+", code)}
    assert {*CHOICES, *PARAMETERS} - named == set()


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
    assert {section for section, _ in options} == {"", "fixed", "training", "recording", "outcomes"}


def test_the_template_changes_no_default_of_training_recording_and_outcomes() -> None:
    spec = load_study(TEMPLATE)
    assert (spec.training, spec.recording, spec.outcomes) == (Training(), Recording(), Thresholds())
    assert spec.design == Design(cross=("loss",))
    assert spec.fixed == {name: Config.model_fields[name].default for name in spec.fixed}

"""The study files that come with the project: they load, and what they say of defaults is true."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from stability.gan.losses import check_loss
from stability.gan.networks import ImageShape, check_pair
from stability.gan.training.penalties import check_penalty
from stability.spec import Config, StudySpec, Thresholds, load_study
from stability.spec.config import (
    ARCHITECTURE_NAMES,
    COMMON,
    LOSS_NAMES,
    PARAMETERS,
    PENALTY_NAMES,
    RECIPES,
    Activation,
    BatchNorm,
    Init,
    InputRange,
    Latent,
    Norm,
    Optimizer,
    Schedule,
)
from stability.spec.study import DATASETS, Compile, Design, Recording, Training

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "stability" / "cli" / "study.yaml"
PAGE = ROOT / "docs" / "study-file.md"
EXTENDING = ROOT / "docs" / "extending.md"
LITERALS = (BatchNorm, Optimizer, Latent, Activation, InputRange, Norm, Init, Schedule)
CHOICES = (
    *DATASETS,
    *ARCHITECTURE_NAMES,
    *LOSS_NAMES,
    *PENALTY_NAMES,
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


def example(holding: str) -> str:
    """The only block of Python on the page about code of one's own that holds these words."""
    pattern = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
    (block,) = (text for text in pattern.findall(EXTENDING.read_text(encoding="utf-8")) if holding in text)
    return str(block)


@pytest.mark.parametrize("parameters", [{}, {"dropout": 0.2}, {"packing": 2, "batchnorm": "none"}], ids=str)
def test_the_networks_in_the_docs_can_be_trained(
    parameters: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs_nets.py").write_text(example("pair ="), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    check_pair(Config(architecture="docs_nets:pair", **parameters), ImageShape(1, 28))


def test_the_loss_in_the_docs_can_be_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs_loss.py").write_text(example("loss ="), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    check_loss("docs_loss:loss")


@pytest.mark.parametrize("name", ["penalty", "drift"])
def test_the_penalties_in_the_docs_can_be_trained(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"docs_{name}.py").write_text(example(f"{name} ="), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    check_penalty(f"docs_{name}:{name}")


def test_the_template_names_every_choice() -> None:
    named = set(re.findall(r"[\w-]+", TEMPLATE.read_text(encoding="utf-8")))
    assert {*CHOICES, *get_args(Compile)} - named == set()


def test_the_template_has_a_line_for_every_parameter() -> None:
    commented = {name for section, name in commented_options() if section == "fixed"}
    assert commented | set(load_study(TEMPLATE).fixed) == set(PARAMETERS)


def test_the_docs_explain_every_choice() -> None:
    """Beside the tables of keys, which are made from the models, what needs words has some."""
    prose = re.sub(r"^```.*?^```", "", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    named = {word for code in re.findall(r"`([^`]+)`", prose) for word in re.findall(r"[\w-]+", code)}
    assert {*DATASETS, *ARCHITECTURE_NAMES, *LOSS_NAMES, *PENALTY_NAMES} - named == set()


@pytest.mark.parametrize("model", SECTIONS.values(), ids=lambda model: model.__name__)
def test_every_key_has_words_of_its_own(model: type[BaseModel]) -> None:
    """The tables of the docs are made of these; a network's own of what is common is told beside it."""
    own = {f"{name}_{network}" for name in COMMON for network in "gd"}
    sections = {"design", "training", "recording", "outcomes", "recipe"}
    told = {name for name, field in model.model_fields.items() if field.description}
    assert model.model_fields.keys() - told - own - sections == set()


def test_the_templates_commented_options_are_at_their_defaults() -> None:
    options = commented_options()
    examples = {key for key, (_, text) in options.items() if text.startswith("for example")}
    assert examples == {("", "image_size"), ("training", "cohort_size"), ("recording", "metrics")}
    wrong = {
        key: value
        for key, (value, _) in options.items()
        if key not in examples and value != SECTIONS[key[0]].model_fields[key[1]].default
    }
    assert wrong == {}
    assert {section for section, _ in options} == {"", "fixed", "training", "recording", "outcomes"}


def test_the_template_changes_no_default_but_those_that_make_it_small_and_says_so() -> None:
    spec = load_study(TEMPLATE)
    smaller = {"width": 32, "steps": 3000, "evaluate_every": 250}
    assert spec.training == Training(steps=smaller["steps"])
    assert spec.recording == Recording(evaluate_every=smaller["evaluate_every"])
    assert spec.outcomes == Thresholds()
    assert spec.design == Design(cross=("loss",))
    defaults = {name: Config.model_fields[name].default for name in spec.fixed}
    assert spec.fixed == defaults | {"width": smaller["width"]}
    told = TEMPLATE.read_text(encoding="utf-8").replace("\n", " ").replace("#", " ")
    for model, name in ((Config, "width"), (Training, "steps"), (Recording, "evaluate_every")):
        usual = model.model_fields[name].default
        line = re.search(rf"{name}: {smaller[name]} .*?by\s+default (\d+)", told)
        assert line is not None
        assert int(line[1]) == usual

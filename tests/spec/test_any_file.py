"""Whatever a study file holds, it is a study that reads back as itself, or one line; never anything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_study_files import GOOD
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stability.errors import StabilityError
from stability.spec import PARAMETERS, dump_study, load_study, parse_study
from stability.spec.study import StudySpec
from stability.spec.thresholds import Thresholds

ROOT = Path(__file__).parents[2]
SHIPPED = [
    path.read_text(encoding="utf-8")
    for path in (ROOT / "stability" / "cli" / "study.yaml", *sorted((ROOT / "studies").glob("*.yaml")))
]
pytestmark = pytest.mark.slow
many = settings(
    max_examples=500,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

TOKENS = (
    *"[]{}:,-?&*!|>'\"#%@`~=\n\t\r\0",
    *(": ", "- ", "? ", "<<: ", "&a ", "*a", "!!python/name:os.system ", "!!int ", "!<x>", "---\n", "...\n"),
    *("%YAML 1.1\n---\n", "%TAG ! x:\n---\n", '"\\U99999999"', "\\x", "|9\n", ">-\n", "\x85", "\u2028"),
    *("1e999", "-.inf", ".nan", "0x", "0b1", "1_0", "9" * 25, "true", "null", "yes", "1:30", "2001-01-01"),
    *("\ufeff", "\u202e", "\ud800", "😀", "name", "space", "fixed", "low", "high", "log", "levels"),
    *("  ", "\n  ", "\n    ", "loss", "hinge", "tpe", "grid", "mlp", "dirac", "ring", "0", "1", "-1", "0.5"),
)
KEYS = (*StudySpec.model_fields, *PARAMETERS, *Thresholds.model_fields, "low", "high", "log", "levels", "<<")
SCALARS = st.one_of(
    st.sampled_from([None, True, False, 0, 1, -1, 2**63, 10**40, 0.5, 1e300, float("inf"), float("nan")]),
    st.integers(-10, 5000),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["hinge", "wgan-gp", "mlp", "dirac", "ring", "grid", "tpe", "sobol", "a:b", "folder:x"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)
"""What YAML can hold, with the words of a study more often than chance would put them there."""


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A study file that is shipped or small, a few of its lines or tokens changed."""
    lines = draw(st.sampled_from([*SHIPPED, GOOD])).splitlines()
    for _ in range(draw(st.integers(1, 4))):
        place, other = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        change = draw(st.sampled_from(["delete", "repeat", "swap", "indent", "insert", "cut"]))
        if change == "delete":
            lines[place] = ""
        elif change == "repeat":
            lines[place] += "\n" + lines[other]
        elif change == "swap":
            (key, *_), (*_, value) = lines[place].split(":"), lines[other].split(":")
            lines[place] = f"{key}:{value}"
        elif change == "indent":
            lines[place] = draw(st.sampled_from([" ", "  ", "\t"])) + lines[place]
        else:
            column = draw(st.integers(0, len(lines[place])))
            token = draw(st.sampled_from(TOKENS)) if change == "insert" else ""
            lines[place] = lines[place][:column] + token + ("" if change == "cut" else lines[place][column:])
    return "\n".join(lines)


def as_yaml(value: object, depth: int = 0) -> str:
    """A value in YAML's block style, its texts as they are: they may well be more YAML."""
    indent = "\n" + "  " * depth
    if isinstance(value, dict) and value:
        return "".join(f"{indent}{key}: {as_yaml(inner, depth + 1)}" for key, inner in value.items())
    if isinstance(value, list) and value:
        return "".join(f"{indent}- {as_yaml(inner, depth + 1)}" for inner in value)
    return "~" if value is None else str(value)


def check(text: str) -> None:
    """A study that reads back as itself, or one line that names the file."""
    try:
        spec = parse_study(text)
    except StabilityError as error:
        check_message(str(error), "study.yaml:")
    else:
        assert parse_study(dump_study(spec)) == spec


def check_message(message: str, begins: str) -> None:
    assert message.startswith(begins)
    assert message.isprintable()
    assert len(message) <= 700


@many
@given(mutated())
def test_a_changed_study_file_is_a_study_or_one_line(text: str) -> None:
    check(text)


@many
@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6), st.booleans())
def test_any_structure_is_a_study_or_one_line(data: dict[str, object], named: bool) -> None:
    check(("name: s\n" if named else "") + as_yaml(data))


@many
@given(st.lists(st.sampled_from(TOKENS), max_size=25).map("".join))
def test_any_yaml_is_a_study_or_one_line(text: str) -> None:
    for written in (text, f"name: s\n{text}", f"name: s\nspace: {text}", f"name: s\nfixed: {{lr: {text}}}"):
        check(written)


@many
@given(st.binary(max_size=200) | st.binary(max_size=40).map(GOOD.encode().__add__))
def test_any_bytes_are_a_study_or_one_line(tmp_path: Path, content: bytes) -> None:
    study = tmp_path / "study.yaml"
    study.write_bytes(content)
    try:
        load_study(study)
    except StabilityError as error:
        check_message(str(error), f"{study}:")


@many
@given(
    st.lists(st.sampled_from(KEYS) | st.text(max_size=4), min_size=1, max_size=4).map(".".join),
    st.lists(st.sampled_from(TOKENS), max_size=8).map("".join) | VALUES.map(str),
)
def test_any_override_is_taken_or_told_in_one_line(key: str, value: str) -> None:
    try:
        spec = parse_study(GOOD, overrides=[f"{key}={value}"])
    except StabilityError as error:
        check_message(str(error), "")
    else:
        assert parse_study(dump_study(spec)) == spec


def test_the_changes_reach_good_studies_as_well_as_bad_ones() -> None:
    """Else the properties above would say nothing about one of the two."""
    outcomes = set()

    @settings(max_examples=60, derandomize=True, database=None)
    @given(mutated())
    def look(text: str) -> None:
        try:
            parse_study(text)
            outcomes.add("study")
        except StabilityError:
            outcomes.add("one line")

    look()
    assert outcomes == {"study", "one line"}

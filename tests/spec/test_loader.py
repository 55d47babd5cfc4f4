"""Good study files: what they load as, and that a dumped study loads back as itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stability.design import draw_points, plan_runs
from stability.errors import StabilityError
from stability.spec import PARAMETERS, RECIPES, Choice, Config, Range, dump_study, load_study, parse_study
from stability.spec.config import IMAGE_ARCHITECTURES
from stability.spec.sections import parameter_schema

TEMPLATE = Path(__file__).parents[2] / "stability" / "cli" / "study.yaml"
FULL = """\
name: losses
space:
  architecture: [mlp, dcgan]
  loss: [minimax, wgan-gp]
  lr: {low: 1e-4, high: 1, log: true}
  width: {low: 8, high: 64, log: true, levels: 4}
  weight_clip: [~, 0.01]
fixed: {beta1: 0, batch_size: 64}
design: {points: 64, seeds: 3, cross: [architecture, loss]}
training: {stop_on: []}
outcomes: {persist: 2, good_modes: 1}
"""


def test_a_full_file() -> None:
    spec = parse_study(FULL)
    assert spec.space["architecture"] == Choice(values=("mlp", "dcgan"))
    assert spec.space["loss"] == Choice(values=("minimax", "wgan-gp"))
    assert spec.space["lr"] == Range(low=1e-4, high=1.0, log=True)
    assert spec.space["width"] == Range(low=8, high=64, log=True, levels=4, integer=True)
    assert spec.space["weight_clip"] == Choice(values=(None, 0.01))
    assert spec.fixed == {"beta1": 0.0, "batch_size": 64}
    assert isinstance(spec.fixed["beta1"], float)
    assert spec.crossed == ("architecture", "loss")
    assert list(spec.sampled) == ["lr", "weight_clip", "width"]
    assert spec.training.stop_on == ()
    assert spec.outcomes.persist == 2
    assert spec.outcomes.good_modes == 1.0


@pytest.mark.parametrize("size", [28, 32, 64])
def test_the_image_size_is_the_whole_studys(size: int) -> None:
    spec = parse_study(f"name: s\nimage_size: {size}")
    assert spec.image_size == size
    assert parse_study(dump_study(spec)) == spec
    assert parse_study("name: s").image_size is None
    assert "image_size" not in dump_study(parse_study("name: s"))


def test_a_range_of_whole_numbers_that_may_be_null_is_of_whole_numbers() -> None:
    spec = parse_study("name: s\nspace: {train_size: {low: 100, high: 1000}}")
    assert spec.space["train_size"] == Range(low=100, high=1000, integer=True)
    assert parse_study(dump_study(spec)) == spec
    assert all(isinstance(run.config.train_size, int) for run in plan_runs(spec, draw_points(spec)))


def test_the_smallest_file() -> None:
    spec = parse_study("name: s")
    assert (spec.dataset, spec.space, spec.crossed, spec.design.points) == ("mnist", {}, (), 16)


@pytest.mark.parametrize(
    ("design", "cross"),
    [
        ("{}", ("loss",)),
        ("{sampler: tpe}", ()),
        ("{cross: []}", ()),
        ("{cross: [width, loss]}", ("width", "loss")),
    ],
)
def test_the_loss_is_crossed_by_default_where_it_is_a_list(design: str, cross: tuple[str, ...]) -> None:
    text = "name: s\nspace: {width: [8, 16], lr: [1e-3], loss: [hinge, minimax]}\ndesign: " + design
    assert parse_study(text).design.cross == cross


def test_a_grid_counts_its_own_points() -> None:
    text = """
name: s
space:
  loss: [hinge, minimax]
  beta1: [0, 0.5, 0.9]
  width: {low: 8, high: 32, log: true, levels: 3}
  lr: {low: 1e-4, high: 1e-3, levels: 4}
design: {sampler: grid}
"""
    spec = parse_study(text)
    assert spec.design.points == 36
    assert spec.space["width"].grid() == (8, 16, 32)  # type: ignore[union-attr]
    assert spec.space["lr"].grid() == pytest.approx((1e-4, 4e-4, 7e-4, 1e-3))  # type: ignore[union-attr]
    assert parse_study(text, overrides=["design.points=36"]) == spec


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("training.steps=200", lambda spec: spec.training.steps == 200),
        ("training.tf32=true", lambda spec: spec.training.tf32 is True),
        ("training.compile=cuda-graphs", lambda spec: spec.training.compile == "cuda-graphs"),
        ("training.compile=none", lambda spec: spec.training.compile == "none"),
        ("design.points=8", lambda spec: spec.design.points == 8),
        ("fixed.n_dis = 2", lambda spec: spec.fixed["n_dis"] == 2),
        ("space.lr.low=1e-5", lambda spec: spec.space["lr"].low == 1e-5),
        ("space.loss=[hinge]", lambda spec: spec.space["loss"].values == ("hinge",)),
        ("recording.evaluate_every=7", lambda spec: spec.recording.evaluate_every == 7),
        ("image_size=64", lambda spec: spec.image_size == 64),
        ("dataset=folder:a=b", lambda spec: spec.dataset == "folder:a=b"),
    ],
)
def test_an_override_wins_over_the_file(override: str, value: Any) -> None:
    assert value(parse_study(FULL, overrides=[override]))


def test_the_last_override_wins() -> None:
    overrides = ["training.steps=200", "training={steps: 300}", "training.steps=400"]
    assert parse_study(FULL, overrides=overrides).training.steps == 400


def test_a_file_with_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + FULL.replace("\n", "\r\n").encode())
    assert load_study(path) == parse_study(FULL)


def test_the_names_of_parameters_are_those_of_the_configuration() -> None:
    assert set(PARAMETERS) == set(Config.model_fields) - {"recipe"}
    for name in PARAMETERS:
        value = Config.model_fields[name].default
        spec = parse_study("name: s", overrides=[f"fixed.{name}={'null' if value is None else value}"])
        assert spec.fixed == {name: value}
    assert set(parameter_schema("loss")["enum"]) > set(RECIPES)


def as_yaml(value: object) -> str:
    return f"[{', '.join(value)}]" if isinstance(value, tuple) else str(value)


def test_the_template_is_a_study_and_shows_every_option() -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    spec = load_study(TEMPLATE)
    options = [
        *(
            name for name in type(spec).model_fields if name != "observed"
        ),  # which is for the monitor to write
        *(name for part in (spec.design, spec.training, spec.recording) for name in type(part).model_fields),
        *PARAMETERS,
        "low",
        "high",
        "log",
        "levels",
        *(f"{name}: {as_yaml(field.default)}" for name, field in type(spec.outcomes).model_fields.items()),
        *(str(choice) for name in PARAMETERS for choice in parameter_schema(name).get("enum", ())),
    ]
    assert [option for option in options if option not in text] == []


def _listed(name: str) -> list[str]:
    """The words that a parameter may be, besides null; none where it is a number."""
    schema = parameter_schema(name)
    return next((option["enum"] for option in (schema, *schema.get("anyOf", ())) if "enum" in option), [])


def _examples(name: str) -> st.SearchStrategy[Any]:
    schema = parameter_schema(name)
    if name == "architecture":
        return st.sampled_from(["mlp", *IMAGE_ARCHITECTURES, "own.nets:pair"])
    if words := _listed(name):
        return st.sampled_from(words)
    if schema.get("type") == "boolean":
        return st.booleans()
    [option] = [option for option in schema.get("anyOf", [schema]) if option["type"] != "null"]
    if option["type"] == "integer":
        return st.integers(max(option["minimum"], 1), min(option.get("maximum", 4096), 4096))
    return st.floats(max(option.get("minimum", 0), 1e-300), 0.999)


def _factors(name: str) -> st.SearchStrategy[Any]:
    lists = st.lists(_examples(name), min_size=1, max_size=4, unique=True)
    if _listed(name) or parameter_schema(name).get("type") == "boolean":
        return lists
    ends = st.lists(_examples(name), min_size=2, max_size=2, unique=True).map(sorted)
    return lists | st.builds(
        lambda ends, log: {"low": ends[0], "high": ends[1], "log": log}, ends, st.booleans()
    )


@st.composite
def studies(draw: st.DrawFn) -> dict[str, Any]:
    sampled = draw(st.lists(st.sampled_from(PARAMETERS), unique=True))
    fixed = [name for name in draw(st.lists(st.sampled_from(PARAMETERS), unique=True)) if name not in sampled]
    return {
        "name": draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", fullmatch=True)),
        "dataset": draw(st.sampled_from(["mnist", "folder:C: #\\ 'x"])),
        **draw(st.sampled_from([{}, {"image_size": 28}, {"image_size": 64}])),
        "space": {name: draw(_factors(name)) for name in sampled},
        "fixed": {name: draw(_examples(name)) for name in fixed},
        "design": {
            "sampler": draw(st.sampled_from(["sobol", "random"])),
            "seed": draw(st.integers(0, 2**32 - 1)),
        },
    }


UNFIT = ("does not fit", "cannot stand beside", "needs decay_steps", "needs maps")


@settings(max_examples=25)
@given(studies())
def test_a_dumped_study_loads_back_as_itself(data: dict[str, Any]) -> None:
    overrides = [f"{key}={_flow(value)}" for key, value in data.items()]
    try:
        spec = parse_study("name: s", overrides=overrides)
    except StabilityError as error:  # each value is right by itself, but some do not go together
        assume(not any(words in str(error) for words in UNFIT))
        raise
    assert parse_study(dump_study(spec)) == spec
    assert dump_study(parse_study(dump_study(spec))) == dump_study(spec)
    assert list(spec.space) == list(data["space"])


def _flow(value: Any) -> str:
    """JSON's flow style by hand, so that the test shares no writer with the package."""
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}": {_flow(inner)}' for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value).lower() if isinstance(value, bool) else repr(value)


@settings(max_examples=60)
@given(st.text(max_size=60) | st.text(alphabet="{}[]:,-&*!|>'\"#% \n\tab1.~", max_size=40))
def test_any_text_is_a_study_or_one_line(text: str) -> None:
    for written in (text, f"name: s\nspace: {text}", f"name: s\nfixed: {{lr: {text}}}"):
        message = _problem(written)
        assert message is None or message.startswith("study.yaml:")
        assert message is None or message.splitlines() == [message]


def _problem(text: str) -> str | None:
    try:
        parse_study(text)
    except StabilityError as error:
        return str(error)
    return None


def test_the_specification_is_light_to_import() -> None:
    code = "import sys, stability.spec; print({'torch', 'optuna', 'numpy', 'pandas'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "set()\n"

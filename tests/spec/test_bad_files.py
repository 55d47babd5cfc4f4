"""Every bad study file gives one line, through the real commands: file, line, field, what is wrong."""

from __future__ import annotations

import cProfile
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_study_files import BAD, GOOD
from hostile_study_files import HOSTILE, LAUGHS, OVERRIDES

from stability.cli.app import main
from stability.errors import StabilityError
from stability.spec import dump_study, load_study, parse_study
from stability.spec.nodes import MAX_ITEMS

FILES = [*BAD, *HOSTILE]
LONGEST_LINE = 700
"""Of characters: where a name is unknown, those that are allowed are listed, unless they are many."""
MANY_CALLS = 10_000_000
"""Of functions: the worst of these files takes four million, growth by the square would take billions."""
Refusal = Callable[..., str]


@pytest.fixture
def refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refusal:
    """Call the real `main` on a study file; what it says on stderr, once it is clear that it did no more."""
    monkeypatch.chdir(tmp_path)

    def call(command: str, content: str | bytes, *options: str) -> str:
        study = tmp_path / "study.yaml"
        study.write_bytes(content if isinstance(content, bytes) else content.encode())
        monkeypatch.setattr(sys, "argv", ["stability", command, "study.yaml", *options])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert ended.value.code == 2
        assert out == ""
        assert [entry.name for entry in tmp_path.iterdir()] == ["study.yaml"]
        return err

    return call


def check_line(said: str, begins: str, words: str) -> None:
    """One printable line of bearable length that begins with the place and holds the words."""
    assert said.endswith("\n")
    line = said[:-1]
    assert line.startswith(f"error: {begins}")
    assert words in line
    assert line.isprintable()
    assert len(line) <= LONGEST_LINE
    assert "pydantic" not in line.lower()


def shortened(case: tuple[str | bytes, int, str, str]) -> str:
    return ascii(case[0][-60:])


@pytest.mark.parametrize("case", FILES, ids=shortened)
def test_a_bad_file_is_told_in_one_line_and_nothing_is_written(
    case: tuple[str | bytes, int, str, str], refusal: Refusal
) -> None:
    content, line, field, words = case
    begins = f"study.yaml:{line}: " + (f"{field}: " if field else "")
    for command in ("validate", "run"):
        check_line(refusal(command, content), begins, words)


@pytest.mark.parametrize("case", [case for case in FILES if len(case[0]) > 10_000], ids=shortened)
def test_a_large_file_is_refused_with_little_work(
    case: tuple[str | bytes, int, str, str], tmp_path: Path
) -> None:
    study = tmp_path / "study.yaml"
    study.write_bytes(case[0] if isinstance(case[0], bytes) else case[0].encode())
    profile = cProfile.Profile()
    with pytest.raises(StabilityError), profile:
        load_study(study)
    assert sum(function.callcount for function in profile.getstats()) < MANY_CALLS


def test_the_list_of_bad_files_is_long_and_without_repetition() -> None:
    assert len({content for content, *_ in FILES}) == len(FILES) >= 400


@pytest.mark.parametrize(("override", "field", "words"), OVERRIDES, ids=lambda text: ascii(text[:40]))
def test_a_hostile_override_is_told_in_one_line(
    override: str, field: str, words: str, refusal: Refusal
) -> None:
    check_line(refusal("validate", GOOD, "--set", override), f"--set {field}", words)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["validate", "run"])
@pytest.mark.parametrize(
    ("content", "begins"),
    [
        (LAUGHS, "study.yaml:1: a: "),
        ("name: !!python/object/apply:os.system [touch pwned]", "study.yaml:1: name: "),
        ("name: &a s\ndataset: &a ring", "study.yaml:1: name: "),
        ("name: s\x00", "study.yaml:1: "),
        ("name: s\nspace: {lr: [" + "1," * 120_000 + "]}", "study.yaml:2: space.lr: "),
        ("name: s\nfixed: {architecture: os:system}", "study.yaml:2: fixed.architecture: os:system is code"),
        ("name: s\ndataset: folder:nowhere", "study.yaml:2: dataset: folder:"),
    ],
    ids=["aliases", "object", "anchors", "NUL", "a hundred thousand values", "code", "folder"],
)
def test_the_installed_command_says_one_line(command: str, content: str, begins: str, tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(content)
    answer = subprocess.run(
        [sys.executable, "-m", "stability.cli", command, study.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (answer.returncode, answer.stdout) == (2, "")
    check_line(answer.stderr, begins, "")
    assert list(tmp_path.iterdir()) == [study]


def test_the_longest_lists_that_are_read_are_read_back() -> None:
    numbers = [8 + place for place in range(MAX_ITEMS)]
    spec = parse_study(f"name: s\nspace: {{width: {numbers}, latent_dim: {numbers}}}")
    assert parse_study(dump_study(spec)) == spec
    with pytest.raises(StabilityError, match="is longer than 500 values"):
        parse_study(f"name: s\nspace: {{width: {[*numbers, 7000]}}}")


def test_a_files_own_name_cannot_break_the_line(tmp_path: Path) -> None:
    for name in ("a\nb", "\x1b[2J", "\u202eb", "\udcff"):
        for path in (tmp_path / name / "no.yaml", tmp_path / name):
            with pytest.raises(StabilityError) as caught:
                load_study(path)
            assert str(caught.value).isprintable()
    study = tmp_path / "a\nb.yaml"
    study.write_text("name: -x")
    with pytest.raises(StabilityError, match=r"a\\nb.yaml:1: name: must be"):
        load_study(study)


def test_the_first_problem_in_the_file_is_told_and_the_others_counted() -> None:
    text = "name: s\ntraining: {steps: -1}\nfixed: {lr: -1}\nspace:\n  loss: [hinqe]\n"
    with pytest.raises(StabilityError, match=r"^study.yaml:2: training.steps: .* \(and 2 more\)$"):
        parse_study(text)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.stpes=3", '--set training.stpes: unknown key "stpes"; did you mean "steps"?'),
        ("traning.steps=3", '--set traning: unknown key "traning"; did you mean "training"?'),
        ("training.steps", "--set training.steps: must be written key.key=value"),
        ("training..steps=3", "--set training..steps: must be written key.key=value"),
        ("=3", "--set : must be written key.key=value"),
        ("training.steps=many", '--set training.steps: must be a whole number of at least 1'),
        ("training.steps=[1", "--set training.steps: not valid YAML"),
        ("training.steps=", "--set training.steps: must be a whole number"),
        ("training.steps.more=1", "--set training.steps.more: training.steps is 9, which has no keys to set"),
        ("space.loss.low=1", "--set space.loss.low: space.loss is a list, which has no keys to set"),
        ("space.lr.low=1", "--set space.lr.low: 1 must be below high, 0.01"),
        ("space.lr={low: 1, high: 0.5}", "--set space.lr.low: 1 must be below high, 0.5"),
        ("fixed.lr=1", "--set fixed.lr: is in space, too"),
        ("fixed.width=&a 3", "--set fixed.width: anchors and aliases"),
    ],
)  # fmt: skip
def test_a_bad_override_is_told_by_its_own_name(override: str, words: str) -> None:
    with pytest.raises(StabilityError) as caught:
        parse_study(GOOD + "training: {steps: 9}\n", overrides=[override])
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith(words)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"name: s\ndataset: \xe9\n")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * 250_001)
    for path, words in [
        (tmp_path / "none.yaml", "none.yaml: no such file"),
        (tmp_path, ": is a directory"),
        (latin / "below.yaml", "below.yaml: cannot be read: Not a directory"),
        (tmp_path / ("z" * 300), "cannot be read: File name too long"),
        (latin, "latin.yaml:2: not UTF-8: byte 0xe9"),
        (large, "large.yaml: is larger than 250 kB"),
    ]:
        with pytest.raises(StabilityError) as caught:
            load_study(path)
        assert words in str(caught.value)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)

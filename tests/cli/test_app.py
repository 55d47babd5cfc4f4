from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from small_studies import SMALL, StopAfter, result_bytes, run_small, small_mnist, small_spec

from stability import __version__
from stability.cli import app as command_line
from stability.runner import study as runner
from stability.runner.engines import options
from stability.selftest import Check
from stability.spec import load_study

Command = Any


def left_behind(workplace: Path) -> list[str]:
    return sorted(str(path.relative_to(workplace)) for path in workplace.rglob("*"))


# --- bad input: one line, exit code 2 ---------------------------------------------------------------------

# (changes to the study file, a part of the message)
BAD_STUDIES = [
    ("spaec: {}\n", 'study.yaml:10: spaec: unknown key "spaec"; did you mean "space"?'),
    ("outcomes: {persist: many}\n", "study.yaml:10: outcomes.persist: must be a whole number"),
    ("outcomes: {persist: [\n", "study.yaml:11: not valid YAML"),
    ("name: twice\n", "study.yaml:10: name: given twice, first on line 1"),
    ("image_size: 30\n", "study.yaml:10: image_size: must be one of 28, 32, 64, not 30"),
]


@pytest.mark.parametrize("command", ["validate", "run"])
@pytest.mark.parametrize(("more", "words"), BAD_STUDIES)
def test_a_bad_study_file(stability: Command, workplace: Path, command: str, more: str, words: str) -> None:
    (workplace / "study.yaml").write_text(SMALL + more)
    refused(stability(command, "study.yaml"), words, workplace)


def refused(answer: Any, words: str, workplace: Path, holds: tuple[str, ...] = ("study.yaml",)) -> None:
    """One line on stderr, nothing on stdout, exit code 2, nothing written."""
    assert answer.err.splitlines() == [answer.err.removesuffix("\n")]
    assert answer.err.startswith("error: ")
    assert words in answer.err
    assert "Traceback" not in answer.err
    assert (answer.code, answer.out) == (2, "")
    assert left_behind(workplace) == sorted(holds)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "space.lr.low=1"], "--set space.lr.low: 1 must be below high, 0.01"),
        (["--set", "space.loss=[hinqe]"], 'not "hinqe"; did you mean "hinge"?'),
        (["--set", "space.lr=[]"], "--set space.lr: must not be empty"),
        (["--set", "fixed.width=3"], "--set fixed.width: must be a whole number of at least 8"),
        (["--set", "training.steps"], "--set training.steps: must be written key.key=value"),
        (["--set", "training.stpes=3"], 'unknown key "stpes"; did you mean "steps"?'),
        (
            ["--set", "dataset=fashion-mnist", "--data-root", "."],
            "--set dataset: fashion-mnist: no data under",
        ),
        (["--set", "dataset=folder:nowhere"], "--set dataset: folder:"),
        (["--set", "recording={samples: 4096, final_samples: 4096}"], "400 training images are fewer"),
        (["--device", "gpu"], "--device gpu: not on this machine; it has:"),
    ],
)
@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_bad_option(
    stability: Command, workplace: Path, command: str, arguments: list[str], words: str
) -> None:
    refused(stability(command, "study.yaml", *arguments), words, workplace)


@pytest.mark.parametrize("command", ["validate", "run"])
def test_no_cuda_where_asked(
    stability: Command, workplace: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    refused(
        stability(command, "study.yaml", "--device", "cuda"), "--device cuda: not on this machine", workplace
    )


@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_missing_study_file(stability: Command, workplace: Path, command: str) -> None:
    refused(stability(command, "none.yaml"), "none.yaml: no such file; `stability init`", workplace)
    refused(stability(command, "."), ".: is a directory, not a study file", workplace)


@pytest.mark.parametrize("command", ["validate", "run"])
def test_missing_data_of_a_study_file(stability: Command, workplace: Path, command: str) -> None:
    (workplace / "study.yaml").write_text(SMALL + "dataset: fashion-mnist\n")
    answer = stability(command, "study.yaml", "--data-root", ".")
    line = SMALL.count("\n") + 1
    words = (
        f"study.yaml:{line}: dataset: fashion-mnist: no data under .; give --data-root FOLDER or --download"
    )
    refused(answer, words, workplace)


@pytest.mark.parametrize("command", ["validate", "run"])
def test_own_images_that_cannot_be_read_are_told_with_the_line(
    stability: Command, workplace: Path, command: str
) -> None:
    (workplace / "study.yaml").write_text("dataset: folder:own\n" + SMALL)
    answer = stability(command, "study.yaml")
    refused(answer, "own: no such folder", workplace)
    assert answer.err.startswith("error: study.yaml:1: dataset: folder:")
    for name in "xy":
        picture(workplace / "own" / "cat" / f"{name}.png")
    (workplace / "own" / "cat" / "y.png").write_bytes(b"no image")
    holds = ("own", "own/cat", "own/cat/x.png", "own/cat/y.png", "study.yaml")
    answer = stability(command, "study.yaml")
    refused(answer, "own/cat/y.png: is no readable image", workplace, holds)
    assert answer.err.startswith("error: study.yaml:1: dataset: ")
    answer = stability(command, "study.yaml", "--set", "dataset=folder:none")
    refused(answer, "none: no such folder", workplace, holds)
    assert answer.err.startswith("error: --set dataset: folder:")


@pytest.mark.parametrize("command", ["validate", "run"])
def test_code_that_nobody_allowed_is_told_with_the_line(
    stability: Command, workplace: Path, command: str
) -> None:
    (workplace / "own.py").write_text("from pathlib import Path\nPath('imported').touch()\n")
    words = "own:pair is code that would be imported and run; if you trust it, add --allow-code"
    for text, place in (
        (SMALL.replace("fixed: {", "fixed: {architecture: 'own:pair', "), "study.yaml:6: fixed.architecture"),
        (
            SMALL.replace("space:", "space:\n  architecture: [mlp,\n    own:pair]"),
            "study.yaml:4: space.architecture",
        ),
    ):
        (workplace / "study.yaml").write_text(text)
        refused(stability(command, "study.yaml"), f"{place}: {words}", workplace, ("own.py", "study.yaml"))
    (workplace / "study.yaml").write_text(SMALL)
    answer = stability(command, "study.yaml", "--set", "fixed.architecture=own:pair")
    refused(answer, f"--set fixed.architecture: {words}", workplace, ("own.py", "study.yaml"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--engine", "slurm", "--engine-options", "cluster.yaml"], 'cluster.yaml:1: gpu: unknown key "gpu"'),
        (["--engine", "slurm", "--address", "auto"], "--address: is for --engine ray"),
        (["--engine", "ray", "--detach"], "--detach: is for --engine slurm"),
        (["--detach"], "--engine-options, --address, --detach: are for --engine ray or slurm"),
    ],
)
def test_what_is_wrong_with_a_cluster_is_told_before_anything_is_made(
    stability: Command, workplace: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.setattr(options, "CARRIERS", {"ray": "json", "slurm": "json"})  # whatever is installed
    (workplace / "cluster.yaml").write_text("gpu: 1")
    answer = stability("run", "study.yaml", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"error: {words}")
    assert answer.err.count("\n") == 1
    assert not (workplace / "results").exists()


def test_a_missing_carrier_is_named(
    stability: Command, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "CARRIERS", {"ray": "no_such_package"})
    answer = stability("run", "study.yaml", "--engine", "ray")
    assert answer.code == 2
    assert answer.err == "error: --engine ray: needs no_such_package: pip install 'stability[ray]'\n"


def test_a_missing_classifier(stability: Command, workplace: Path) -> None:
    (workplace / "a").mkdir()
    for name in "xy":
        picture(workplace / "a" / "cat" / f"{name}.png")
        picture(workplace / "a" / "dog" / f"{name}.png")
    before = left_behind(workplace)
    answer = stability("run", "study.yaml", "--set", "dataset=folder:a")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "no classifier at" in answer.err
    assert "stability classifier train --dataset folder:PATH" in answer.err
    assert left_behind(workplace) == before


def picture(path: Path) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 32), (200, 10, 10)).save(path)


def test_a_results_folder_that_cannot_be_written(stability: Command, workplace: Path) -> None:
    answer = stability("run", "study.yaml", "--out", "study.yaml/below")
    refused(answer, "study.yaml/below: Not a directory", workplace)


def test_a_results_folder_with_something_else_in_it(stability: Command, workplace: Path) -> None:
    answer = stability("run", "study.yaml", "--out", ".")
    refused(answer, ".: not empty and not a study's results, it holds 'study.yaml'", workplace)
    assert (workplace / "study.yaml").read_text() == SMALL


@pytest.mark.parametrize("command", [["status"], ["report"], ["relabel"], ["replay", "p000-hinge-s0"]])
def test_a_folder_that_is_no_study(stability: Command, workplace: Path, command: list[str]) -> None:
    name, *rest = command
    refused(stability(name, "nowhere", *rest), "nowhere: no such results folder", workplace)
    refused(stability(name, ".", *rest), ".: not a study's results, it has no plan.json", workplace)


def test_an_unknown_run(stability: Command, workplace: Path, finished: Path) -> None:
    refused(stability("replay", finished, "p9-s9"), "no run 'p9-s9'; `stability status", workplace)


def test_relabelling_with_anything_but_thresholds(
    stability: Command, workplace: Path, finished: Path
) -> None:
    for text in ("training.steps=3", "outcomes.persits=3", "outcomes.persist=0"):
        refused(stability("relabel", finished, "--set", text), f"--set {text.partition('=')[0]}", workplace)


def test_another_study_or_other_thresholds_in_the_folder(
    stability: Command, workplace: Path, finished: Path
) -> None:
    answer = stability("run", "study.yaml", "--out", finished, "--set", "training.steps=30")
    refused(
        answer, "was begun otherwise, and its runs would not compare: training.steps: 40 -> 30", workplace
    )
    assert answer.err.endswith("begin the new study in a folder of its own with --fork FOLDER\n")
    answer = stability("run", "study.yaml", "--out", finished, "--set", "outcomes.persist=2")
    refused(answer, "apply new ones with `stability relabel`", workplace)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--no-such-option"], "; see `stability --help`"),
        (["run"], "; see `stability run --help`"),
        (["run", "study.yaml", "--threads", "0"], "'--threads'"),
        (["run", "study.yaml", "--threads", "two"], "'--threads'"),
        (["report", "results", "--format", "pdf"], "'html', 'json', 'csv'"),
        (["trian"], "'trian'"),
        (["classifier", "train", "--epochs", "-1"], "; see `stability classifier train --help`"),
    ],
)
def test_wrong_usage(stability: Command, workplace: Path, arguments: list[str], words: str) -> None:
    answer = stability(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    assert words in answer.err
    assert left_behind(workplace) == ["study.yaml"]


def test_without_arguments_there_is_help(stability: Command) -> None:
    answer = stability()
    assert (answer.code, "Usage: " in answer.out + answer.err) == (2, True)
    assert "error" not in answer.err


def test_no_folder_for_temporary_files_is_one_line(
    stability: Command, monkeypatch: pytest.MonkeyPatch, finished: Path
) -> None:
    def without(*_: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr("stability.store.progress.study_status", without)
    answer = stability("status", finished)
    assert (answer.code, answer.err) == (2, "error: No usable temporary directory found\n")


def test_an_interrupted_command_is_no_traceback(
    stability: Command, monkeypatch: pytest.MonkeyPatch, finished: Path
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stability.store.progress.study_status", interrupted)
    answer = stability("status", finished)
    assert (answer.code, answer.out, answer.err) == (130, "", "")


# --- what the commands do ---------------------------------------------------------------------------------


def test_run_then_again_then_status_and_replay(stability: Command, workplace: Path, finished: Path) -> None:
    answer = stability("run", "study.yaml", "--device", "cpu")
    folder = workplace / "results" / "small"
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0] == "12 runs in 2 cohorts, 40 steps each, on cpu"
    assert lines[1].startswith("8/12 runs, ")
    assert lines[2].startswith("12/12 runs, ")
    assert lines[-1] == "finished results/small; next: stability report results/small"
    assert "\x1b" not in answer.out
    assert result_bytes(folder) == result_bytes(finished)

    again = stability("run", "study.yaml")
    assert (again.code, again.err) == (0, "")
    assert again.out == "results/small is finished; next: stability report results/small\n"

    state = json.loads(stability("status", "results/small", "--runs", "--json").out)
    assert (state["complete"], state["runs_finished"], len(state["run_states"])) == (True, 12, 12)
    text = stability("status", "results/small").out
    assert "small (results/small): finished" in text
    assert "runs      12 of 12, 40 steps each" in text

    replayed = stability("replay", "results/small", "p000-minimax-s0", "--json")
    assert replayed.code == 0
    assert json.loads(replayed.out)["equal"] is True


def test_run_with_a_changed_key_and_another_folder(stability: Command, workplace: Path) -> None:
    answer = stability(
        "run", "study.yaml", "--set", "training.steps=10", "--set", "design.points=1", "--out", "here/there"
    )
    assert answer.code == 0
    assert json.loads(stability("status", "here/there", "--json").out)["horizon"] == 10
    assert load_study(workplace / "here" / "there" / "study.yaml").training.steps == 10


def test_run_goes_on_where_it_stopped(stability: Command, workplace: Path, finished: Path) -> None:
    assert not run_small(small_spec(), workplace / "results" / "small", stop=StopAfter(3))
    waiting = stability("status", "results/small", "--runs").out
    assert "not finished" in waiting
    assert waiting.count("waiting") == 12
    answer = stability("run", "study.yaml")
    assert "going on with c0000 at step 30" in answer.out
    assert result_bytes(workplace / "results" / "small") == result_bytes(finished)


def test_replay_tells_a_difference(
    stability: Command, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stability.runner.replay.first_difference", lambda *_: "loss_d at step 10: 1 2")
    answer = stability("replay", finished, "p000-minimax-s0")
    assert answer.code == 1
    assert "first difference: loss_d at step 10" in answer.out


def test_relabel_says_what_changed(stability: Command, finished: Path, workplace: Path) -> None:
    shutil.copytree(finished, workplace / "copy")
    easy = ["--set", "outcomes.stable_excess=1e9", "--set", "outcomes.stable_modes=0"]
    rows = json.loads(stability("relabel", "copy", *easy, "--json").out)
    assert rows
    assert {row["is"] for row in rows.values()} == {"stable"}
    assert json.loads(stability("status", "copy", "--json").out)["outcomes"]["stable"] >= len(rows)
    back = stability("relabel", "copy", "--set", "outcomes.stable_excess=1e-9").out.splitlines()
    assert back[-1] == f"{len(back) - 1} labels changed"
    assert all(line.partition(": ")[2].startswith("stable -> ") for line in back[:-1])


def test_validate_prints_the_plan(stability: Command, workplace: Path) -> None:
    answer = stability("validate", "study.yaml")
    assert (answer.code, answer.err) == (0, "")
    assert "runs       12" in answer.out
    assert "cohorts    2" in answer.out
    assert "persist" in answer.out
    assert " on this device if no run stops early" in answer.out
    summary = json.loads(stability("validate", "study.yaml", "--json").out)
    assert summary["estimated_seconds"]["total"] > 0
    assert left_behind(workplace) == ["study.yaml"]


def test_init_writes_a_study_that_is_valid(stability: Command, workplace: Path) -> None:
    answer = stability("init", "mine.yaml")
    assert answer.out == "wrote mine.yaml; next: stability validate mine.yaml\n"
    assert load_study(workplace / "mine.yaml").name == "my-study"
    valid = stability(
        "validate", "mine.yaml", "--no-timing", "--set", "recording={samples: 64, final_samples: 64}"
    )
    assert valid.code == 0
    assert "my-study: a valid study" in valid.out


def test_init_overwrites_nothing(stability: Command, workplace: Path) -> None:
    before = (workplace / "study.yaml").read_text()
    refused(stability("init"), "study.yaml: exists already; give another name or --force", workplace)
    refused(stability("init", "no/folder.yaml"), "no/folder.yaml: cannot be written", workplace)
    assert (workplace / "study.yaml").read_text() == before
    assert stability("init", "--force").code == 0
    assert load_study(workplace / "study.yaml").name == "my-study"


def test_a_second_interrupt_leaves_at_once_and_says_so(
    stability: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(self: runner.StudyRunner) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner.StudyRunner, "run", leave)
    answer = stability("run", "study.yaml")
    assert answer.code == 130
    assert (
        answer.err == "stopped at once; the same command goes on from the last checkpoint (results/small)\n"
    )


@pytest.mark.parametrize("command", ["init", "validate", "run", "status", "replay", "relabel", "selftest"])
def test_flags_take_no_value_in_the_help(stability: Command, command: str) -> None:
    own = [line for line in stability(command, "--help").out.splitlines() if "--help" not in line]
    assert not any("<bool>" in line for line in own)


@pytest.mark.parametrize(
    ("options", "closing"),
    [
        ([], "mnist's metrics use the classifier that is shipped; for this one give --classifier {}"),
        (["--out", "own.safetensors"], "to use it give --classifier own.safetensors"),
    ],
)
def test_a_trained_classifier_says_how_to_use_it(
    stability: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: list[str], closing: str
) -> None:
    name = "mnist" if not options else "other"
    images = dataclasses.replace(small_mnist(), name=name)
    path = tmp_path / "mnist_cnn.safetensors"
    monkeypatch.setattr("stability.gan.data.datasets.load_dataset", lambda *_, **__: images)
    monkeypatch.setattr("stability.gan.metrics.classifier.classifier_path", lambda _: path)
    monkeypatch.setattr("stability.gan.metrics.classifier.save_classifier", lambda _, path: path)
    trained = SimpleNamespace(accuracy=0.5)
    monkeypatch.setattr("stability.gan.metrics.classifier.train_classifier", lambda *_, **__: trained)
    lines = stability("classifier", "train", "--dataset", name, *options).out.splitlines()
    assert lines[0].startswith("accuracy on 200 test images: 0.5000; wrote ")
    assert lines[1:] == [closing.format(path)]


def test_relabel_helps_with_thresholds(stability: Command) -> None:
    text = " ".join(stability("relabel", "--help").out.split())
    assert "outcomes.persist=4" in text
    assert "training.steps" not in text


def test_the_version(stability: Command) -> None:
    assert stability("--version").out == f"{__version__}\n"


# --- the installed command --------------------------------------------------------------------------------

HEAVY = ("torch", "optuna", "torchvision", "scipy", "pandas", "pyarrow", "sklearn", "matplotlib")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["report", "--help"], ["run", "--help"], ["classifier", "--help"]]
)
def test_help_answers_without_heavy_imports(arguments: list[str]) -> None:
    done = without_heavy_imports(arguments)
    assert "Usage: " in done.stdout
    assert done.stdout.splitlines()[-1] == "left with 0 and []"


@pytest.mark.parametrize("command", ["validate", "run"])
@pytest.mark.parametrize(
    "fault", ["spaec: {}", "space: {loss: [hinqe]}", "design: {points: 0}", "name: twice"]
)
def test_a_bad_study_file_is_refused_without_heavy_imports(tmp_path: Path, command: str, fault: str) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(f"name: bad\n{fault}\n")
    done = without_heavy_imports([command, str(study)])
    assert done.stderr.startswith(f"error: {study}:2: ")
    assert done.stdout.splitlines() == ["left with 2 and []"]


def without_heavy_imports(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the command; its last line says the exit code, and which of the heavy packages were imported."""
    code = f"""
import sys
from stability.cli.app import main
sys.argv = ["stability", *{arguments!r}]
try:
    main()
except SystemExit as end:
    print("left with", end.code, "and", [name for name in {HEAVY!r} if name in sys.modules])
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_a_report_needs_no_torch(finished: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from stability.cli.app import main\ntry: main()\nfinally: print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "report", str(finished), "--out", "page.html"],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["wrote page.html", "False"]
    assert (tmp_path / "page.html").stat().st_size > 10_000


def test_the_module_is_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stability.cli", "replay", "nowhere", "r", "--threads", "0"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")


def test_a_reader_that_has_gone_is_no_traceback(finished: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "stability.cli", "status", str(finished), "--runs"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 1
    assert said == ""


def test_every_command_is_documented() -> None:
    commands = [*command_line.app.registered_commands, *command_line.classifier_app.registered_commands]
    assert len(commands) == 17
    assert all(command.callback is not None and command.callback.__doc__ for command in commands)


def test_a_study_file_may_be_a_pipe(stability: Command, workplace: Path) -> None:
    read, write = os.pipe()
    os.write(write, (workplace / "study.yaml").read_bytes())
    os.close(write)
    answer = stability("validate", f"/dev/fd/{read}", "--no-timing")
    os.close(read)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("small: a valid study\n")


def test_packed_results_are_whole_and_smaller(stability: Command, finished: Path, workplace: Path) -> None:
    answer = stability("pack", finished, "packed")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.endswith("next: stability report packed\n")
    assert stability("status", "packed", "--check").code == 0
    films = [
        sum(len(path.read_bytes()) for path in folder.rglob("*.png")) for folder in (finished, workplace)
    ]
    assert films[1] < films[0] / 2
    assert stability("pack", finished, "packed").code == 2


def test_a_doctor_names_what_a_report_of_a_fault_needs(
    stability: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stability.cli import doctor_view

    checks = [Check("sound", "1", "1", passed=True), Check("broken", "1", "2", passed=False)]
    monkeypatch.setattr(doctor_view, "run_checks", lambda device: checks)
    lines = dict(line.split(maxsplit=1) for line in stability("doctor").out.splitlines())
    assert lines["libraries.torch"] == version("torch")
    assert lines["selftest.passed"] == "1 of 2 checks"
    assert lines["selftest.failed.broken"] == "expected 1, found 2"
    assert json.loads(stability("doctor", "--json").out)["gpus"] == []

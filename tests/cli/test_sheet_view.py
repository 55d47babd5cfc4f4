"""From a trained study to its sheet, to marks, to agreement: the two commands on one small study."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from stability.cli.sheet_view import sheet as write
from stability.questions.agreement.marks import LABELS
from stability.reading.frames import load
from stability.report.sheet import Plan
from stability.store import Store
from stability.store.seals import seal_text

Command = Any


@pytest.fixture(scope="module")
def sheet(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sheet of four of the small study's runs."""
    out = tmp_path_factory.mktemp("sheets") / "sheet"
    lines = list(write([finished], out, Plan(runs=4, seed=2), None))
    assert lines[0].endswith("4 runs")
    assert f"stability agree {finished} {out / 'marks.csv'}" in lines[1]
    return out


def labels(sheet: Path, finished: Path) -> dict[str, str]:
    outcomes = load(finished).runs.set_index("run")["outcome"]
    with (sheet / "key.csv").open(newline="") as file:
        return {row["code"]: str(outcomes[row["run"]]) for row in csv.DictReader(file)}


def marks(path: Path, by_code: dict[str, str], comment: str = "") -> Path:
    rows = [f'{code},{label},,mostly,"{comment}"' for code, label in by_code.items()]
    path.write_text("\n".join(["code,label,second,quality,comment", *rows]) + "\n")
    return path


def other_than(label: str) -> str:
    return next(one for one in LABELS if one != label)


def test_the_sheet_command(stability: Command, workplace: Path, finished: Path) -> None:
    answer = stability("sheet", finished, "--out", "mine", "--runs", 2, "--montage", 2)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("wrote mine/sheet.html, mine/items and mine/marks.csv: 2 runs\n")
    assert len(list((workplace / "mine" / "items").iterdir())) == 2
    assert [path.name for path in (workplace / "mine" / "pages").iterdir()] == ["page-01.png"]
    again = stability("sheet", finished, "--out", "mine")
    assert (again.code, again.err.count("\n")) == (2, 1)
    assert "mine: exists already" in again.err


def test_data_that_is_not_at_hand_is_left_out(stability: Command, finished: Path, tmp_path: Path) -> None:
    results = tmp_path / "fashion"
    shutil.copytree(finished, results)
    text = Store.open(results).study_yaml.replace("dataset: mnist", "dataset: fashion-mnist")
    (results / "study.yaml").write_bytes(seal_text(text))
    answer = stability("sheet", results, "--runs", 1, "--data-root", tmp_path)
    assert answer.code == 0
    assert answer.out.startswith("no real examples beside the runs of small: fashion-mnist: no data under")


def test_a_judge_who_agrees(stability: Command, workplace: Path, sheet: Path, finished: Path) -> None:
    marks(workplace / "mine.csv", labels(sheet, finished))
    answer = stability("agree", finished, "mine.csv", "--key", sheet / "key.csv")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("mine.csv against labels: 4 of 4 agree\nagreement 1 [.51, 1]")


def test_two_judges_as_json(stability: Command, workplace: Path, sheet: Path, finished: Path) -> None:
    by_code = labels(sheet, finished)
    first, *_ = by_code
    marks(workplace / "one.csv", by_code | {first: other_than(by_code[first])}, "blurred")
    marks(workplace / "two.csv", by_code)
    files = ("one.csv", "two.csv", "--key", sheet / "key.csv")
    one, two, both = json.loads(stability("agree", finished, *files, "--json").out)
    assert [(row["first"], row["second"]) for row in (one, two, both)] == [
        ("one.csv", "labels"),
        ("two.csv", "labels"),
        ("one.csv", "two.csv"),
    ]
    assert [row["n_agree"] for row in (one, two, both)] == [3, 4, 3]
    (different,) = one["differ"]
    assert (different["code"], different["comment_first"]) == (first, "blurred")
    assert (different["label_first"], different["label_second"]) == (
        other_than(by_code[first]),
        by_code[first],
    )
    assert different["reason_second"]
    assert (
        f"{first}  {other_than(by_code[first])}: mostly, blurred | "
        in stability("agree", finished, *files).out
    )


def test_only_the_codes_of_a_split(stability: Command, workplace: Path, sheet: Path, finished: Path) -> None:
    by_code = labels(sheet, finished)
    first, second, *_ = by_code
    marks(workplace / "mine.csv", by_code)
    (workplace / "held-out.txt").write_text(f"{first}\n{second}\n")
    arguments = ("mine.csv", "--key", sheet / "key.csv", "--split", "held-out.txt", "--json")
    assert json.loads(stability("agree", finished, *arguments).out)[0]["n_runs"] == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["RESULTS", "none.csv"], "none.csv: no such file or folder"),
        (
            ["RESULTS"],
            "agree takes results folders, then one or two files of marks, not 1 folders and 0 files",
        ),
        (["mine.csv"], "not 0 folders and 1 files"),
        (["RESULTS", "mine.csv", "mine.csv"], "not 1 folders and 1 files"),
        (["RESULTS", "mine.csv"], "key.csv: no such file; give the sheet's key by --key"),
        (["RESULTS", "mine.csv", "--key", "KEY"], 'mine.csv:2: code: "Z999" is not in the key'),
        (["RESULTS", "empty.csv", "--key", "KEY"], "empty.csv: no run in common with labels"),
    ],
)
def test_bad_marks_end_in_one_line(
    stability: Command, workplace: Path, sheet: Path, finished: Path, arguments: list[str], words: str
) -> None:
    marks(workplace / "mine.csv", {"Z999": LABELS[0]})
    marks(workplace / "empty.csv", {})
    places = {"RESULTS": finished, "KEY": sheet / "key.csv"}
    answer = stability("agree", *(places.get(word, word) for word in arguments))
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert words in answer.err

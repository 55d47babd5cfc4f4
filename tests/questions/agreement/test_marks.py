from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from stability.errors import StabilityError
from stability.questions.agreement.marks import (
    LABELS,
    MARK_FIELDS,
    labels_now,
    read_codes,
    read_key,
    read_marks,
)
from stability.records import Outcome

CODES = ("A001", "A002", "A003")
HEAD = "code,label,second,quality,comment\n"
ONE, TWO = LABELS[:2]


def written(folder: Path, text: str | bytes, name: str = "marks.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_labels_are_the_outcomes() -> None:
    assert set(LABELS) == set(Outcome)


def test_marks_are_read_as_they_were_written(tmp_path: Path) -> None:
    text = f'{HEAD}A003,{ONE},{TWO},mostly,"a, ""b""\nsecond line"\nA001, {TWO} ,,,\n'
    marks = read_marks(written(tmp_path, text), CODES)
    assert marks.loc["A003"].to_dict() == {
        "label": ONE,
        "second": TWO,
        "quality": "mostly",
        "comment": 'a, "b"\nsecond line',
    }
    assert marks.loc["A001", "label"] == TWO


def test_a_run_without_a_label_is_not_marked(tmp_path: Path) -> None:
    marks = read_marks(written(tmp_path, f"{HEAD}A001,,,no,unsure\nA002,{ONE},,,\n"), CODES)
    assert list(marks.index) == ["A002"]
    assert read_marks(written(tmp_path, HEAD), CODES).empty


def test_a_spreadsheets_own_ways_are_understood(tmp_path: Path) -> None:
    text = f"{HEAD}A001,{ONE},,,\n".replace("\n", "\r\n")
    assert list(read_marks(written(tmp_path, b"\xef\xbb\xbf" + text.encode()), CODES).index) == ["A001"]
    reordered = written(tmp_path, f"comment,mine,code,second,quality,label\n,x,A002,,,{TWO}\n")
    assert read_marks(reordered, CODES).loc["A002", "label"] == TWO


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{HEAD}A001,{ONE},,,\nB001,{ONE},,,\n", 'marks.csv:3: code: "B001" is not in the key'),
        (f"{HEAD}A001,{ONE},,,\n\nA001,{TWO},,,\n", 'marks.csv:4: code: "A001" is on line 2 already'),
        (f"{HEAD}A001,fine,,,\n", 'marks.csv:2: label: "fine" is none of '),
        (f"{HEAD}A001,{ONE},fine,,\n", 'marks.csv:2: second: "fine" is none of '),
        (f"{HEAD}A001,{ONE},,great,\n", 'marks.csv:2: quality: "great" is none of no, partly, mostly, yes'),
        (f"{HEAD}A001,{ONE},,,a, b\n", "marks.csv:2: not 5 fields"),
        (f"{HEAD}A001,{ONE}\n", "marks.csv:2: not 5 fields"),
        (f'{HEAD}A001,{ONE},,,"a\n', "not CSV"),
        ("code,label\n", "marks.csv:1: no column second"),
        ("", "marks.csv:1: no column code"),
        (b"\xff\xfe", "is no text in UTF-8"),
        (f"{HEAD}A\x1b[31m,{ONE},,,\n", 'code: "A\\x1b[31m" is not in the key'),
    ],
)
def test_bad_marks_are_told_in_one_line(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(StabilityError) as refused:
        read_marks(written(tmp_path, text), CODES)
    assert words in str(refused.value)
    assert str(refused.value).startswith(str(tmp_path))
    assert "\n" not in str(refused.value)


def test_no_marks_at_all(tmp_path: Path) -> None:
    with pytest.raises(StabilityError, match="No such file"):
        read_marks(tmp_path / "none.csv", CODES)


def study(folder: Path, **outcomes: str) -> Any:
    runs = pd.DataFrame({"run": list(outcomes), "outcome": list(outcomes.values()), "reason": "because"})
    return SimpleNamespace(folder=folder, runs=runs)


def test_a_key_leads_to_the_labels_of_now(tmp_path: Path) -> None:
    here, moved = tmp_path / "here", tmp_path / "elsewhere" / "moved"
    text = f"code,results,run\nA001,{here},p0\nA002,/gone/moved,p0\nA003,{tmp_path / 'other'},p0\n"
    key = read_key(written(tmp_path, text, "key.csv"))
    assert list(key.index) == list(CODES)
    found = labels_now(key, [study(here, p0=ONE, p1=TWO), study(moved, p0=TWO)])
    assert found["label"].to_dict() == {"A001": ONE, "A002": TWO}
    assert found.loc["A002"].to_dict() == {
        "results": str(moved),
        "run": "p0",
        "label": TWO,
        "reason": "because",
    }


def test_a_name_that_two_folders_have_leads_nowhere(tmp_path: Path) -> None:
    key = read_key(written(tmp_path, "code,results,run\nA001,/gone/same,p0\n", "key.csv"))
    assert labels_now(key, [study(tmp_path / place / "same", p0=ONE) for place in "ab"]).empty


def test_a_run_that_its_folder_does_not_have(tmp_path: Path) -> None:
    key = read_key(written(tmp_path, f"code,results,run\nA001,{tmp_path},p9\n", "key.csv"))
    with pytest.raises(StabilityError, match='no finished run "p9", which is A001 of the key'):
        labels_now(key, [study(tmp_path, p0=ONE)])


def test_a_key_with_a_code_twice(tmp_path: Path) -> None:
    path = written(tmp_path, "code,results,run\nA001,x,p0\nA001,x,p1\n", "key.csv")
    with pytest.raises(StabilityError, match=r'key\.csv:3: code: "A001" is on line 2 already'):
        read_key(path)


def test_codes_one_a_line(tmp_path: Path) -> None:
    path = written(tmp_path, "# held out\nA003\n\n A001  # odd\n", "split.txt")
    assert read_codes(path, CODES) == ["A003", "A001"]
    with pytest.raises(StabilityError, match=r'split\.txt:2: code: "A9" is not in the key'):
        read_codes(written(tmp_path, "A001\nA9\n", "split.txt"), CODES)


def test_the_fields_of_marks_begin_with_the_code() -> None:
    assert MARK_FIELDS[0] == "code"

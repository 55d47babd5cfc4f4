from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stability.errors import StabilityError
from stability.report.export import write_csv, write_json

TABLE = pd.DataFrame(
    {
        "loss": ["hinge", 'a "quoted", one'],
        "estimate": [0.25, np.nan],
        "fid": [np.inf, -np.inf],
        "n_runs": pd.array([3, None], dtype="Int64"),
        "crossed": [True, False],
        "shares": [np.array([0.5, np.nan]), np.array([1.0])],
    }
)


def test_json_keeps_every_number_and_says_what_is_missing(tmp_path: Path) -> None:
    out = write_json({"study": "s"}, {"rates": TABLE}, tmp_path / "deep" / "s.json")
    content = json.loads(out.read_text(encoding="utf-8"))
    assert content["study"] == "s"
    assert content["estimates"]["rates"] == [
        {
            "loss": "hinge",
            "estimate": 0.25,
            "fid": "inf",
            "n_runs": 3,
            "crossed": True,
            "shares": [0.5, None],
        },
        {
            "loss": 'a "quoted", one',
            "estimate": None,
            "fid": "-inf",
            "n_runs": None,
            "crossed": False,
            "shares": [1.0],
        },
    ]


def test_csv_gives_a_file_a_table_that_reads_back(tmp_path: Path) -> None:
    plain = TABLE.drop(columns=["shares", "n_runs"])
    folder = write_csv({"rates": plain, "empty": plain.head(0)}, tmp_path / "tables")
    assert {path.name for path in folder.iterdir()} == {"rates.csv", "empty.csv"}
    pd.testing.assert_frame_equal(pd.read_csv(folder / "rates.csv"), plain)


def test_lists_stand_in_csv_in_full(tmp_path: Path) -> None:
    shares = np.random.default_rng(0).random(2000)
    table = pd.DataFrame({"shares": [shares, np.array([1.0, np.nan])]})
    read = pd.read_csv(write_csv({"t": table}, tmp_path) / "t.csv")
    assert json.loads(read["shares"][0]) == shares.tolist()
    assert json.loads(read["shares"][1]) == [1.0, None]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StabilityError, match="cannot be written"):
        write_json({}, {}, tmp_path / "file" / "s.json")
    with pytest.raises(StabilityError, match="cannot be written"):
        write_csv({"rates": TABLE}, tmp_path / "file")

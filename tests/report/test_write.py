from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
import shutil
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from many_runs import LOSSES, make_many

from stability.cli.app import main
from stability.errors import StabilityError
from stability.page_kit.table_files import ENCODINGS
from stability.page_kit.words import interval, share
from stability.questions.all import Estimates, Tell, estimate
from stability.reading.frames import StudyFrames
from stability.reading.study import Study
from stability.report import write as writing
from stability.spec import Design
from stability.statistics.rates import OUTCOMES, SUCCESS
from stability.store import Store
from stability.store.seals import seal_text

pytestmark = pytest.mark.slow

MakeStudy = Callable[..., StudyFrames]
KINDS = ("html", "json", "csv")


class Tables(HTMLParser):
    """The cells of every table of a page, row by row, by the id of the block around them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.block, self.rows, self.in_cell = "", [[""]], False
        self.by_block: dict[str, list[list[str]]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if known.get("class") == "block":
            self.rows = self.by_block.setdefault(known["id"] or "", [])
        if tag == "tr":
            self.rows.append([])
        self.in_cell |= tag in ("td", "th")
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self.in_cell &= tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.in_cell:
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def estimates() -> dict[str, Estimates]:
    """What the reports in `place` were written from."""
    return {}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, estimates: dict[str, Estimates]) -> Path:
    """A folder with two studies of the same space, and the reports of one and of both in every format."""
    folder = tmp_path_factory.mktemp("write")
    make_many(folder / "many", 40, 1)
    make_many(folder / "other", 40, 2)

    def once(study: Study, tell: Tell) -> Estimates:
        """It takes seconds, and gives the same again."""
        return estimates.setdefault("many", estimates.get("many") or estimate(study, tell))

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(writing, "estimate", once)
        for kind in KINDS:
            assert called("report", "many", "--format", kind) == 0
            assert called("report", "many", "other", "--format", kind, "--tables", "tables") == 0
    return folder


def called(*arguments: str) -> int | str | None:
    """The command's exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["stability", *arguments])
        try:
            main()
        except SystemExit as stop:
            return stop.code
    return 0


def strict(path: Path) -> Any:
    """JSON without the numbers that JSON does not have."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_reports_are_named_after_the_folders(place: Path) -> None:
    names = {path.name for path in (place / "reports").iterdir()}
    assert names == {
        *("many.html", "many.json", "many"),
        *("many-vs-other.html", "many-vs-other.json", "many-vs-other"),
    }


@pytest.mark.parametrize("name", ["many", "many-vs-other"])
def test_json_and_csv_hold_the_same_tables(place: Path, name: str) -> None:
    found = strict(place / "reports" / f"{name}.json")["estimates"]
    assert {path.stem for path in (place / "reports" / name).iterdir()} == set(found)
    for table, rows in found.items():
        path = place / "reports" / name / f"{table}.csv"
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        assert len(frame) == len(rows), table
        for row, cells in zip(rows, frame.to_dict("records"), strict=True):
            assert list(row) == list(cells), table
            for key, value in row.items():
                same(value, cells[key], f"{table}.{key}")


def same(value: Any, cell: str, where: str) -> None:
    """A value of the JSON file and its cell in the CSV file."""
    if value is None:
        assert cell == "", where
    elif isinstance(value, bool):
        assert cell == str(value), where
    elif isinstance(value, int | float):
        assert float(cell) == value, where
    elif isinstance(value, str):
        assert cell == value, where
    else:
        assert cell, where


def test_the_page_tells_the_same_shares_as_the_tables(place: Path) -> None:
    rates = strict(place / "reports" / "many.json")["estimates"]["rates_by_loss"]
    text = (place / "reports" / "many.html").read_text(encoding="utf-8")
    head, *lines = Tables(text).by_block["shares-by-loss"][1 + len(LOSSES) : 2 * (1 + len(LOSSES))]
    assert sorted(head[1:-2]) == sorted([SUCCESS, *OUTCOMES])
    known = {(row["loss"], row["event"]): row for row in rates}
    for line in lines:
        for name, cell in zip(head[1:-2], line[1:-2], strict=True):
            row = known[line[0], name]
            assert cell == f"{share(row['estimate'])} {interval(row['ci_low'], row['ci_high'])}"
    assert {line[0] for line in lines} == set(LOSSES)


@pytest.mark.parametrize(
    ("block", "table"),
    [
        ("shares-by-loss", "rates_by_loss"),
        ("shares-by-batchnorm", "rates_by_batchnorm"),
        ("costs", "costs"),
        ("time-to-collapse", "survival_curves"),
        ("stop-rule", "early_stops_rates"),
        ("best-of-a-budget", "budget"),
    ],
)
def test_the_page_s_downloads_hold_the_same_numbers(place: Path, block: str, table: str) -> None:
    text = (place / "reports" / "many.html").read_text(encoding="utf-8")
    found = re.search(rf'download="many-{block}\.csv" href="data:text/csv;base64,([^"]+)"', text)
    assert found is not None
    shown = pd.read_csv(io.BytesIO(base64.b64decode(found[1])))
    told = pd.read_csv(place / "reports" / "many" / f"{table}.csv")
    assert len(told)
    shared = [name for name in told if name in shown and name != "reason"]
    assert {"estimate", "n_points"} & set(shared)
    numbers = [name for name in shared if pd.api.types.is_float_dtype(told[name])]
    assert numbers
    for name in numbers:
        ours, theirs = (frame[name].dropna().abs().sort_values() for frame in (shown, told))
        assert ours.tolist() == pytest.approx(theirs.tolist(), rel=1e-8), name


def test_the_tables_are_those_of_the_estimates(place: Path, estimates: dict[str, Estimates]) -> None:
    found = strict(place / "reports" / "many.json")
    tables = estimates["many"].tables()
    assert set(found["estimates"]) == set(tables)
    for name, table in tables.items():
        rows = found["estimates"][name]
        assert len(rows) == len(table), name
        if "estimate" in table and len(table):
            told = [row["estimate"] for row in rows]
            assert told == [None if pd.isna(value) else value for value in table["estimate"]], name


def test_json_says_what_its_numbers_rest_on(place: Path) -> None:
    found = strict(place / "reports" / "many.json")
    assert found["study"] == "many"
    assert found["design"]["runs"] == "40 finished of 40 planned"
    assert any("another range gives another rate" in text for text in found["cautions"])


def test_two_studies_of_one_name_are_told_apart_everywhere(place: Path) -> None:
    found = strict(place / "reports" / "many-vs-other.json")
    assert (found["first"]["study"], found["second"]["study"]) == ("many", "other")
    assert {row["study"] for row in found["estimates"]["rates"]} == {"many", "other"}
    assert found["cautions"] == []
    text = (place / "reports" / "many-vs-other.html").read_text(encoding="utf-8")
    assert "<h1>many and other</h1>" in text
    success = {
        row["study"]: row
        for row in found["estimates"]["rates"]
        if row["level"].startswith("all runs") and row["event"] == "success"
    }
    for name, row in success.items():
        told = f"“{name}” {share(row['estimate'])} {interval(row['ci_low'], row['ci_high'])}"
        assert f"{told} of {row['n_runs']} runs" in text
    (difference,) = (
        row
        for row in found["estimates"]["differences"]
        if row["level"].startswith("all runs") and row["event"] == "success"
    )
    shares = [success[name]["estimate"] for name in ("many", "other")]
    assert difference["estimate"] == pytest.approx(shares[0] - shares[1])


def test_a_study_is_compared_with_its_relabelled_self_with_a_caution(place: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(place / "many", tmp_path / "changed")
    changed = Store.open(folder).study_yaml + "outcomes: {persist: 4}\n"
    (folder / "study.yaml").write_bytes(seal_text(changed))
    out = writing.write([place / "many", folder], "json", tmp_path / "both.json")
    (caution,) = strict(out)["cautions"]
    assert "other thresholds" in caution
    assert strict(out)["estimates"]["settings"][0]["setting"] == "outcomes.persist"


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command says on the one line of stderr when it exits with 2."""
    capsys.readouterr()
    assert called("report", *arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    (line,) = said.err.splitlines()
    assert line.startswith("error: ")
    return line


def test_three_folders_are_too_many(
    place: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = str(place / "many")
    line = refused(capsys, folder, folder, str(place / "other"))
    assert "takes one results folder, or two to compare" in line
    assert str(place / "other") in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_that_cannot_be_written_is_named(
    place: Path,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    monkeypatch.setattr(writing, "estimate", lambda study, tell: estimate(empty(study), tell))
    (tmp_path / "file").write_text("mine")
    out = str(tmp_path / "file" / "report")
    folders = ["many", "other"] if kind == "json" else ["many"]
    line = refused(capsys, *(str(place / name) for name in folders), "--format", kind, "--out", out)
    assert "cannot be written" in line
    assert out in line
    assert (tmp_path / "file").read_text() == "mine"


def empty(study: Study) -> Study:
    frames = study.frames
    none = {name: getattr(frames, name).head(0) for name in ("runs", "evaluations", "events")}
    return Study(dataclasses.replace(frames, **none))


def test_a_folder_without_a_study_is_named(
    place: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for folders in ([str(tmp_path)], [str(place / "many"), str(tmp_path)], [str(tmp_path / "missing")]):
        assert str(tmp_path) in refused(capsys, *folders)
    with pytest.raises(StabilityError):
        writing.write([tmp_path], "json", tmp_path / "out.json")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """Write a study that stands for the folder's."""

    def write(frames: StudyFrames, kind: writing.Format) -> Path:
        monkeypatch.setattr(writing, "load", lambda folder: frames)
        return writing.write([tmp_path / "it"], kind, tmp_path / f"report-{kind}")

    return write


def test_a_search_is_written_as_counts_and_says_why(
    make_study: MakeStudy, written: Callable[..., Path]
) -> None:
    frames = make_study(design=Design(sampler="tpe", points=6, seeds=1))
    found = strict(written(frames, "json"))
    assert all(name.startswith("counts_by_") for name in found["estimates"])
    assert sum(row["runs"] for row in found["estimates"]["counts_by_loss"]) == len(frames.runs)
    assert "no rate is estimated from them" in found["cautions"][0]
    assert found["design"]["rates"] == "not estimable"
    assert {path.stem for path in written(frames, "csv").iterdir()} == set(found["estimates"])
    text = written(frames, "html").read_text(encoding="utf-8")
    assert "Rates are not estimable: tpe chose its " in text
    assert 'class="tile"' not in text
    assert 'id="counts-by-loss"' in text
    assert 'id="shares-by-loss"' not in text


def test_a_study_without_runs_is_written(make_study: MakeStudy, written: Callable[..., Path]) -> None:
    frames = make_study(finished=0)
    found = strict(written(frames, "json"))
    assert set(map(len, found["estimates"].values())) == {0}
    assert found["design"]["runs"] == "0 finished of 36 planned"
    for path in written(frames, "csv").iterdir():
        assert list(pd.read_csv(path))[1:] == ["outcome", "runs"]
    assert "Nothing has finished yet" in written(frames, "html").read_text(encoding="utf-8")


def test_of_one_point_the_seeds_are_counted(make_study: MakeStudy, written: Callable[..., Path]) -> None:
    frames = make_study(design=Design(points=1, seeds=2, cross=("loss",)))
    for row in strict(written(frames, "json"))["estimates"]["rates_by_loss"]:
        assert row["estimate"] is not None
        assert row["ci_low"] <= row["estimate"] <= row["ci_high"]
        assert (row["n_points"], row["n_runs"], row["reason"]) == (2, 2, "")


def test_two_studies_have_their_tables_as_files(place: Path) -> None:
    written = {path.name for path in (place / "tables").iterdir()}
    page = (place / "reports" / "many-vs-other.html").read_text(encoding="utf-8")
    keys = {name.rpartition(".")[0] for name in written}
    assert written == {f"{key}.{suffix}" for key in keys for suffix in ENCODINGS}
    assert len(written) == 3 * page.count('<table class="rates" ') > 0


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_terminal_is_told_of_progress_apart_from_what_was_written(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, is_terminal: bool
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    assert called("report", "many", "other", "--format", "json", "--out", "again.json") == 0
    told = capsys.readouterr()
    assert told.out == "wrote again.json\n"
    said = [line.split(" s  ")[1] for line in told.err.splitlines()]
    assert said == (["reading", "comparing"] if is_terminal else [])


def test_maps_are_drawn_over_any_two_parameters(place: Path) -> None:
    out = writing.write([place / "many"], "html", place / "mapped.html", map_over="lr, beta1")
    assert "Where, over lr and beta1, do runs succeed?" in out.read_text(encoding="utf-8")
    plain = (place / "reports" / "many.html").read_text(encoding="utf-8")
    assert re.search(r"Where, over \S+ and \S+, do runs succeed\?", plain)


@pytest.mark.parametrize("over", ["lr", "lr,lr", "lr,loss", "lr,nothing", ""])
def test_what_no_map_can_be_drawn_over_is_told_with_what_can(place: Path, over: str) -> None:
    with pytest.raises(StabilityError, match=r"--map .*two parameters.*allowed: .*lr_ratio"):
        writing.write([place / "many"], "json", place / "none.json", map_over=over)
    assert not (place / "none.json").exists()


def test_two_studies_have_no_map(place: Path) -> None:
    with pytest.raises(StabilityError, match="side by side have no map"):
        writing.write([place / "many", place / "other"], "html", map_over="lr,beta1")

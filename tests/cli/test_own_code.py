"""Code of the user's own through the commands: the examples of the docs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stability import load

DOCS = (Path(__file__).parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")
SET = ("--set", "design.points=1", "--set", "design.seeds=1")
OWN = (
    "--set=fixed.penalty=penalties:penalty",
    "--set=space.loss=[hinge, losses:loss]",
    "--set=recording.metrics=[mine:sharpness]",
)


@pytest.fixture
def own(workplace: Path) -> Iterator[Path]:
    """The modules of the docs beside the study file; what is imported of them is forgotten afterwards."""
    blocks = re.findall(r"^```python\n(.*?)^```", DOCS, flags=re.DOTALL | re.MULTILINE)
    names = {"losses": "loss = Loss", "penalties": "penalty = Term", "mine": "def sharpness"}
    for name, words in names.items():
        (block,) = (block for block in blocks if words in block)
        (workplace / f"{name}.py").write_text(block)
    yield workplace
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.slow
def test_the_docs_code_trains_is_reported_and_comes_again(own: Path, stability: Any) -> None:
    done = stability("run", "study.yaml", "--out", "r", "--allow-code", *SET, *OWN)
    assert done.code == 0, done.err
    frames = load(own / "r")
    assert frames.records["penalty"].notna().all()
    assert (frames.evaluations["own_sharpness"] > 0).all()
    last = frames.evaluations.groupby("run")["own_sharpness"].last()
    assert dict(zip(frames.runs["run"], frames.runs["own_sharpness"], strict=True)) == last.to_dict()
    digests = json.loads((own / "r" / "environment.json").read_text())["networks"]
    assert set(digests) == {"losses:loss", "penalties:penalty", "mine:sharpness"}
    assert stability("replay", "r", "p000-losses.loss-s0", "--allow-code").code == 0
    refused = stability("replay", "r", "p000-losses.loss-s0")
    assert (refused.code, "--allow-code" in refused.err) == (2, True)
    page = stability("report", "r", "--out", "page.html")
    assert page.code == 0
    text = (own / "page.html").read_text()
    assert '"own_sharpness"' in text
    assert " --allow-code" in text, "the command that trains a run again"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("recording.metrics=[mine:sharpest]", "mine:sharpest: module mine has no sharpest"),
        ("recording.metrics=[mine:roughness]", "metric mine:roughness: TypeError"),
        ("recording.metrics=[sharpness]", "--set recording.metrics: must be one of package.module:metric"),
        ("recording.metrics=[mine:sharpness, other:sharpness]", "another metric is called sharpness, too"),
        ("fixed.penalty=losses:loss", "losses:loss: is a Loss, not a Term or FreeTerm"),
        ("fixed.penalty=r3", "must be one of none, gradient-penalty"),
    ],
)
def test_a_wrong_one_is_told_before_anything_is_trained(
    own: Path, stability: Any, given: str, words: str
) -> None:
    for command in (("run", "study.yaml", "--out", "r"), ("validate", "study.yaml", "--no-timing")):
        refused = stability(*command, "--allow-code", "--set", given)
        assert refused.code == 2
        assert words in refused.err
        assert refused.err.count("\n") == 1
    assert not (own / "r").exists()


def test_a_metric_is_not_imported_unasked(own: Path, stability: Any) -> None:
    (own / "mine.py").write_text("from pathlib import Path\nPath('imported').touch()\n")
    refused = stability("run", "study.yaml", "--set", "recording.metrics=[mine:sharpness]")
    assert "recording.metrics: mine:sharpness is code that would be imported and run" in refused.err
    assert not (own / "imported").exists()

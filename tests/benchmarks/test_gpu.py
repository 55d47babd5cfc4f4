"""What a GPU is measured by runs on a CPU in tiny sizes, and is written."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from benchmarks.cases import NEVER, make_cohort, make_runs
from benchmarks.gpu import STUDY, FrozenDraws, frozen, main
from stability.design import draw_points, plan_runs
from stability.gan.training.cohort import Cohort
from stability.gan.training.placement import Placement
from stability.spec import parse_study
from stability.spec.config import Config

CONFIG = Config(architecture="mlp", width=8, batch_size=8)


def made() -> Cohort:
    return make_cohort((CONFIG,) * 2, torch.device("cpu"))


def test_what_is_drawn_once_is_given_again() -> None:
    draws = FrozenDraws(make_runs((CONFIG,)), Placement(torch.device("cpu")))
    assert torch.equal(draws.z(4), draws.z(4))
    assert draws.z(5).shape[1] == 5


def test_a_frozen_cohort_takes_the_same_first_step_and_none_other_draws_from_then_on() -> None:
    free = made()
    with frozen():
        still = made()
    after = made()
    for cohort in (free, still, after):
        for _ in cohort.train(1, NEVER):
            pass
    first, same, third = (cohort.pictures(4) for cohort in (free, still, after))
    assert torch.equal(first, same)
    assert torch.equal(first, third)
    for cohort in (free, still, after):
        for _ in cohort.train(3, NEVER):
            pass
    assert not torch.equal(free.pictures(4), still.pictures(4))
    assert torch.equal(free.pictures(4), after.pictures(4))


@pytest.mark.full
def test_everything_is_measured_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "GPU.md"
    main(["--quick", "--device", "cpu", "--out", str(out)])
    text = out.read_text(encoding="utf-8")
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == ["# On a GPU", "## Tests on the card", "## Steps by members", "## A study of 256 runs"]
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| mlp, width 8")]
    assert [row[2] for row in rows] == ["1", "2"]
    assert all(math.isfinite(float(row[4].split()[0])) for row in rows)
    assert "failed" not in text
    assert "finished study" in text.splitlines()[-1]
    assert f"wrote {out}" in capsys.readouterr().out


def test_the_study_is_256_runs_of_1000_steps() -> None:
    spec = parse_study(STUDY.read_text(encoding="utf-8"))
    assert len(plan_runs(spec, draw_points(spec))) == 256
    assert spec.training.steps == 1000

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pandas as pd
import pytest

from stability.page_kit.blocks import Block
from stability.page_kit.words import share
from stability.questions.time_to_event.estimate import Survival, time_to_event
from stability.questions.time_to_event.incidence import incidence
from stability.questions.time_to_event.section import survival_blocks
from stability.reading.frames import StudyFrames
from stability.reading.study import ALL, Study
from stability.spec import Design

MakeStudy = Callable[..., StudyFrames]
CROSSED = Design(points=8, seeds=2, cross=("loss",))


def blocks_of(frames: StudyFrames, factor: str = "loss") -> dict[str, Block]:
    study = Study(frames)
    args = (study.runs, frames.events, frames.evaluations, factor)
    return {block.key: block for block in survival_blocks(study, time_to_event(*args), incidence(*args))}


def with_differences(frames: StudyFrames, **columns: list[float]) -> tuple[Study, Survival]:
    study = Study(frames)
    result = time_to_event(study.runs, frames.events, frames.evaluations, "loss")
    return study, dataclasses.replace(result, differences=result.differences.assign(**columns))


def test_the_three_questions_have_figures_words_and_data(make_study: MakeStudy) -> None:
    blocks = blocks_of(make_study(design=CROSSED))
    assert list(blocks) == [
        "time-to-collapse",
        "time-to-collapse-differences",
        "first-of-collapse-and-others",
    ]
    for block in blocks.values():
        assert block.figure is not None
        assert 'role="img"' in block.figure
        assert block.finding
        assert {"estimate", "ci_low", "ci_high", "n_points", "n_runs", "reason"} <= set(block.data)


def test_the_finding_counts_runs_and_recoveries(make_study: MakeStudy) -> None:
    frames = make_study(design=CROSSED)
    had, back = (
        frames.events.loc[(frames.events["kind"] == "collapse") & mask, "run"].nunique()
        for mask in (frames.events["onset"].notna(), frames.events["recovery"].notna())
    )
    finding = blocks_of(frames)["time-to-collapse"].finding
    assert finding.startswith(f"{had} of 48 runs had a collapse after being good")
    assert f"over again in {back} of {had}." in finding
    assert "never were good" not in finding
    assert "stopped" not in finding


def test_the_finding_tells_apart_those_that_could_not_recover(make_study: MakeStudy) -> None:
    frames = make_study(design=CROSSED)
    collapses = frames.events["kind"] == "collapse"
    lasting = frames.events.index[collapses & frames.events["recovery"].isna()]
    events, runs = frames.events.copy(), frames.runs.copy()
    events.loc[lasting[:3], "never_good"] = True
    runs.loc[runs["run"].isin(events.loc[lasting[3:5], "run"]), "stopped"] = True
    block = blocks_of(dataclasses.replace(frames, runs=runs, events=events))["time-to-collapse"]
    lost = events.loc[collapses, "run"].nunique() - 3
    assert block.finding.startswith(f"{lost} of 48 runs had a collapse after being good")
    assert "3 more never were good and end collapsed: there was nothing to lose." in block.finding
    assert f"of {lost}. 2 of the {lost} had been stopped" in block.finding
    assert "no share is given" in block.note
    recovery = block.tables[1]
    counts = {
        head.text: [row[place].text for row in recovery.rows] for place, head in enumerate(recovery.heads)
    }
    assert sum(map(int, counts["never good before"])) == 3
    assert sum(map(int, counts["stopped for it"])) == 2


def test_tables_have_a_line_a_level_in_the_pages_order(make_study: MakeStudy) -> None:
    frames = make_study(design=CROSSED)
    tables = blocks_of(frames)["time-to-collapse"].tables
    order = list(Study(frames).order("loss"))
    assert len(tables) == 3
    for table in tables:
        assert [row[0].text for row in table.rows] == order
        assert all(len(row) == len(table.heads) for row in table.rows)


def test_what_follows_an_event_has_ends_that_compete(make_study: MakeStudy) -> None:
    frames = make_study(design=CROSSED)
    study = Study(frames)
    found = incidence(study.runs, frames.events, frames.evaluations, "loss")
    table = blocks_of(frames)["time-to-collapse"].tables[2]
    assert [head.text for head in table.heads][1:4] == ["recovered", "stopped early", "diverged"]
    assert "ends that compete" in table.caption
    steps = sorted(set(found.after["since"]))
    half = max(step for step in steps if step <= steps[-1] / 2)
    assert f"within {half:,} steps" in table.caption
    for row in table.rows:
        here = found.after[(found.after["loss"] == row[0].text) & (found.after["since"] == half)]
        assert [cell.text for cell in row[1:4]] == [share(value) for value in here["estimate"]]


def test_a_stop_without_the_event_is_told_to_compete_with_it(make_study: MakeStudy) -> None:
    frames = make_study(design=CROSSED)
    assert "A stop competes with it" not in blocks_of(frames)["time-to-collapse"].note
    quiet = ~frames.runs["run"].isin(frames.events["run"]) & (frames.runs["outcome"] != "diverged")
    cut = frames.runs.index[quiet][:2]
    runs = frames.runs.copy()
    runs.loc[cut, ["stopped", "step"]] = [True, int(frames.evaluations["step"].min())]
    block = blocks_of(dataclasses.replace(frames, runs=runs))["time-to-collapse"]
    assert "2 runs were stopped early without a collapse. A stop competes with it" in block.note
    assert block.data["stopped"].sum() == 2


def test_differences_that_contain_zero_are_not_told_apart(make_study: MakeStudy) -> None:
    frames = make_study(design=CROSSED)
    study, result = with_differences(
        frames, estimate=[5.0] * 3, ci_low=[-1.0] * 3, ci_high=[9.0] * 3, comparable=[True] * 3
    )
    other = incidence(study.runs, frames.events, frames.evaluations, "loss")
    assert (
        "No difference can be told from zero, in 3 pairs" in survival_blocks(study, result, other)[1].finding
    )


def test_the_largest_difference_is_told_with_its_direction(make_study: MakeStudy) -> None:
    frames = make_study(design=CROSSED)
    study, result = with_differences(
        frames,
        estimate=[5.0, -200.0, 30.0],
        ci_low=[-1.0, -300.0, 10.0],
        ci_high=[9.0, -100.0, 50.0],
        comparable=[True] * 3,
    )
    other = incidence(study.runs, frames.events, frames.evaluations, "loss")
    row = result.differences.iloc[1]
    finding = survival_blocks(study, result, other)[1].finding
    assert "2 of 3 pairs can be told apart" in finding
    assert "mean time without a collapse is 200 [100, 300] steps longer" in finding
    assert f"longer under {row['other']} than under {row['level']}." in finding


def test_levels_that_lose_many_runs_are_not_compared_in_words(make_study: MakeStudy) -> None:
    frames = make_study(design=CROSSED)
    study, result = with_differences(
        frames,
        estimate=[500.0, -200.0, 30.0],
        ci_low=[400.0, -300.0, -10.0],
        ci_high=[600.0, -100.0, 50.0],
        comparable=[False, False, True],
    )
    level = result.differences["level"].iloc[0]
    n_left = [5 if name == level else 1 for name in result.means["loss"]]
    result = dataclasses.replace(result, means=result.means.assign(n_left=n_left))
    other = incidence(study.runs, frames.events, frames.evaluations, "loss")
    block = survival_blocks(study, result, other)[1]
    assert block.finding.startswith("No difference can be told from zero, in 1 pair")
    assert "longer" not in block.finding
    assert "2 pairs are not compared here: more than 10% of the runs left" in block.finding
    assert f"under {level} (5 of 16 runs), and whether" in block.finding
    assert [bool(row[0].title) for row in block.tables[0].rows] == [True, True, False]
    nothing = dataclasses.replace(result, differences=result.differences.assign(comparable=False))
    assert survival_blocks(study, nothing, other)[1].finding.startswith("3 pairs are not compared here")


def test_the_notes_say_what_kaplan_meier_takes_for_granted(make_study: MakeStudy) -> None:
    blocks = blocks_of(make_study(design=CROSSED))
    for key in ("time-to-collapse", "time-to-collapse-differences"):
        assert "takes runs that leave to be as prone to a collapse as those that stay" in blocks[key].note


def test_without_a_factor_there_are_no_differences(make_study: MakeStudy) -> None:
    blocks = blocks_of(make_study(design=CROSSED), ALL)
    assert "time-to-collapse-differences" not in blocks
    assert blocks["time-to-collapse"].question == "How long do runs go without a collapse?"


def test_without_events_the_finding_says_so(make_study: MakeStudy) -> None:
    blocks = blocks_of(make_study(design=CROSSED, events=False))
    finding = blocks["time-to-collapse"].finding
    assert finding == "No run had a collapse after being good at any visit, of 48 runs."
    assert "first-of-collapse-and-others" not in blocks


@pytest.mark.parametrize(
    "changes", [{"finished": 0}, {"design": Design(sampler="tpe", points=4, cross=("loss",))}]
)
def test_without_runs_to_estimate_from_there_is_no_block(
    make_study: MakeStudy, changes: dict[str, object]
) -> None:
    assert blocks_of(make_study(**changes)) == {}


def test_no_visits_leave_no_block(make_study: MakeStudy) -> None:
    frames = make_study(design=CROSSED)
    assert blocks_of(dataclasses.replace(frames, evaluations=frames.evaluations.iloc[:0])) == {}


def test_a_single_run_says_why_it_has_no_interval(make_study: MakeStudy) -> None:
    blocks = blocks_of(make_study(finished=1))
    cell = blocks["time-to-collapse"].tables[0].rows[0][1]
    assert cell.detail == "[no interval]"
    assert "single point" in cell.title
    assert isinstance(blocks["time-to-collapse"].data, pd.DataFrame)

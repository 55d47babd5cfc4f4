from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from stability.questions.outcomes.headline import adaptive_headline, headline
from stability.questions.outcomes.verdict import verdict


def runs_of(adaptive: bool = False, **outcomes: list[str]) -> pd.DataFrame:
    rows = [
        {"loss": loss, "point": point, "outcome": outcome, "adaptive": adaptive}
        for loss, results in outcomes.items()
        for point, outcome in enumerate(results)
    ]
    return pd.DataFrame(rows)


def test_overlap_is_said_in_words() -> None:
    sentences = headline(
        verdict(
            runs_of(
                hinge=["stable", "nearly-stable"] * 3 + ["saturated"] * 4,
                minimax=["stable"] * 5 + ["saturated"] * 5,
            ),
            "loss",
        )
    )
    assert sentences[0].startswith("“hinge” succeeded most often: 60% (as the better of 2: ")
    assert "overlaps with that of “minimax”: this comparison does not rank them" in sentences[1]
    assert sentences[2].startswith("The most frequent failure: saturated, 45% (")


def test_a_clear_difference_is_said_in_words() -> None:
    sentences = headline(verdict(runs_of(hinge=["stable"] * 40, minimax=["diverged"] * 40), "loss"))
    assert sentences[0].startswith("“hinge” succeeded most often: all of 40 runs (as the better of 2: ")
    assert sentences[1] == "“minimax” lies clearly below, interval and all."


def test_the_headline_says_of_what_its_interval_holds() -> None:
    runs = runs_of(**dict.fromkeys("bc", ["diverged"] * 20), a=["stable"] * 9 + ["diverged"] * 11)
    told = verdict(runs, "loss")
    low, high = (f"{100 * told.success[end].iloc[0]:.0f}" for end in ("ci_low", "ci_high"))
    assert headline(told)[0].startswith(
        f"“a” succeeded most often: 45% (as the best of 3: {low} to {high}%) of 20 runs ended stable"
    )


def test_a_tie_gives_each_its_own_interval() -> None:
    tied = runs_of(hinge=["nearly-stable", "diverged"] * 10, minimax=["stable", "saturated"] * 10)
    sentences = headline(verdict(tied, "loss"))
    assert sentences[0].startswith("“hinge” and “minimax” succeeded equally often: 50% (for both at once: ")
    assert sentences[0].endswith("%) of 20 runs each ended stable or nearly so, over 20 points.")
    assert sentences[1].startswith("The most frequent failures: diverged, 25% (")
    assert sentences[1].endswith("%) of 40 runs.")


@pytest.mark.parametrize(
    ("above", "below", "rest", "said"),
    [
        (
            ("a",),
            ("b", "c"),
            ("d", "e"),
            "Compared with “plain”, runs succeeded more often with “a” and less often with “b” and “c”; of 2 "
            "others these points cannot tell.",
        ),
        (("a", "b"), (), (), "Compared with “plain”, runs succeeded more often with “a” and “b”."),
        (
            (),
            tuple("abcdef"),
            ("g",),
            "Compared with “plain”, runs succeeded less often with 6 of the levels; of 1 other these points "
            "cannot tell.",
        ),
        ((), (), ("a",), "Whether “a” helps or hurts beside “plain”, these points cannot tell."),
        (
            (),
            (),
            ("a", "b"),
            "Whether any of 2 variants helps or hurts beside “plain”, these points cannot tell.",
        ),
    ],
)
def test_a_baseline_comes_first(
    above: tuple[str, ...], below: tuple[str, ...], rest: tuple[str, ...], said: str
) -> None:
    runs = runs_of(plain=["stable", "diverged"] * 10, a=["stable"] * 20)
    best = verdict(runs, "loss")
    told = replace(best, baseline="plain", above=above, below=below, overlapping=rest, paired=True)
    assert headline(told)[:2] == [said, headline(best)[0]]


def test_no_success_still_leaves_a_bound() -> None:
    sentences = headline(verdict(runs_of(hinge=["diverged"] * 10, minimax=["diverged"] * 10), "loss"))
    assert sentences[0].startswith("No run ended stable or nearly so, under any loss; shares up to 3")
    assert sentences[1].startswith("The most frequent failure: diverged, all of 20 runs (")


def test_runs_that_still_learn_are_pointed_out() -> None:
    sentences = headline(verdict(runs_of(hinge=["stable", "learning"] * 10), None))
    assert sentences[0].startswith("50% (")
    assert sentences[1] == "No run failed."
    assert sentences[2].startswith("Still learning at the horizon: 50% (")


def seeds_of(n_seeds: int, **outcomes: list[str]) -> pd.DataFrame:
    return pd.concat([runs_of(**outcomes)] * n_seeds, ignore_index=True)


def test_few_points_are_counted_and_not_ranked() -> None:
    few = seeds_of(2, hinge=["stable", "diverged"], minimax=["diverged", "saturated"])
    assert headline(verdict(few, "loss")) == [
        "“hinge” succeeded most often: 2 of 4 runs ended stable or nearly so, over 2 points.",
        "2 points are too few for rates or a ranking.",
        "The most frequent failure: diverged, 4 of 8 runs.",
    ]


def test_few_points_that_tie_or_agree_are_counted_too() -> None:
    tied = headline(
        verdict(
            seeds_of(2, a=["stable", "diverged"], b=["nearly-stable", "saturated"], c=["collapsed"] * 2),
            "loss",
        )
    )
    assert (
        tied[0]
        == "“a” and “b” succeeded most often: 2 of 4 runs each ended stable or nearly so, over 2 points."
    )
    agreed = headline(verdict(seeds_of(3, a=["stable"]), None))
    assert agreed[:2] == [
        "All 3 runs ended stable or nearly so, over 1 point.",
        "A single point is too few for a rate.",
    ]
    failures = headline(verdict(seeds_of(2, a=["diverged", "saturated"]), None))
    assert failures[1] == "The most frequent failures: diverged and saturated, 2 of 4 runs each."


def test_a_point_without_a_success_gives_no_bound() -> None:
    sentences = headline(verdict(seeds_of(2, a=["diverged"], b=["diverged"]), "loss"))
    few = "a single point is too few to tell whether others would"
    assert sentences[0] == f"No run ended stable or nearly so, under any loss; {few}."
    assert sentences[1] == "The most frequent failure: diverged, all 4 runs."


def test_two_points_without_a_success_give_wilsons_bound_of_two_runs() -> None:
    """Two levels share the error: the quantile of 97.5% is 2.24, and 2.24² / (2 + 2.24²) is .715."""
    sentences = headline(verdict(seeds_of(2, a=["diverged"] * 2, b=["diverged"] * 2), "loss"))
    assert (
        sentences[0] == "No run ended stable or nearly so, under any loss; shares up to 72% remain possible "
        "(for both at once)."
    )
    assert sentences[1] == "The most frequent failure: diverged, all of 8 runs (34 to 100%)."


def test_a_search_gets_no_rate() -> None:
    runs = runs_of(adaptive=True, hinge=["stable", "diverged", "nearly-stable", "learning"])
    assert headline(verdict(runs, "loss")) == []
    first, second = adaptive_headline(runs["outcome"], "tpe")
    assert first == "The search found 2 successful runs among 4."
    assert "not estimable" in second

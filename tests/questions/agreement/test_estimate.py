from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score

from stability.questions.agreement.estimate import NEIGHBOURS, NO_CHANCE, agreement, differing
from stability.questions.agreement.marks import LABELS

A, B, C = LABELS[:3]


def pair(table: list[list[int]]) -> tuple[pd.Series, pd.Series]:
    """Labels of as many runs as the table counts."""
    cells = [
        (LABELS[row], LABELS[column])
        for row, counts in enumerate(table)
        for column, n in enumerate(counts)
        for _ in range(n)
    ]
    first, second = zip(*cells, strict=True)
    return pd.Series(first), pd.Series(second)


def test_kappa_of_a_table_done_by_hand() -> None:
    # 20, 5, 10, 15 of 50: observed .7, by chance .5 x .6 + .5 x .4 = .5
    found = agreement(*pair([[20, 5], [10, 15]]))
    assert (found.n_runs, found.n_agree, found.estimate) == (50, 35, 0.7)
    assert found.kappa == pytest.approx(0.4, abs=1e-12)
    low, high = binomtest(35, 50).proportion_ci(method="wilson")
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high))
    assert (found.kappa_low, found.kappa_high) == pytest.approx((2 * low - 1, 2 * high - 1))


@pytest.mark.parametrize("seed", range(5))
def test_kappa_is_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = pd.Series(rng.choice(LABELS, 60))
    second = first.where(rng.random(60) < 0.7, pd.Series(rng.choice(LABELS, 60)))
    assert agreement(first, second).kappa == pytest.approx(cohen_kappa_score(first, second), abs=1e-12)


def test_neighbours_weigh_half() -> None:
    # with A, B, C in a row and every step a half this is scikit-learn's linear kappa
    table = [[9, 3, 1], [2, 8, 4], [0, 5, 7]]
    first, second = pair(table)
    found = agreement(first, second, neighbours=[frozenset({A, B}), frozenset({B, C})])
    order = {A: 0, B: 1, C: 2}
    linear = cohen_kappa_score(first.map(order), second.map(order), weights="linear")
    assert found.kappa == pytest.approx(linear, abs=1e-12)
    assert found.n_neighbours == 3 + 2 + 4 + 5
    assert found.estimate == pytest.approx(1 - (14 / 2 + 1) / 39)


def test_full_agreement_is_no_certainty() -> None:
    found = agreement(*pair([[10, 0], [0, 10]]))
    assert (found.estimate, found.kappa, found.ci_high, found.kappa_high) == (1, 1, 1, 1)
    assert found.kappa_low == pytest.approx(2 * found.ci_low - 1)
    assert found.kappa_low < 0.8


@pytest.mark.parametrize("shares", [(0.8, 0.15, 0.05), (0.3, 0.25, 0.15, 0.1, 0.08, 0.06, 0.06)])
def test_kappas_interval_covers_where_few_disagree(shares: tuple[float, ...]) -> None:
    rng, truth, covered = np.random.default_rng(1), 0.9, 0
    for _ in range(200):
        first = rng.choice(len(shares), 40, p=shares)
        second = np.where(rng.random(40) < truth, first, rng.choice(len(shares), 40, p=shares))
        found = agreement(
            pd.Series(first).map(dict(enumerate(LABELS))), pd.Series(second).map(dict(enumerate(LABELS)))
        )
        covered += found.kappa_low <= truth <= found.kappa_high
    assert covered >= 0.91 * 200


def test_agreement_as_by_chance_is_exactly_none() -> None:
    assert agreement(*pair([[28, 0], [12, 0]])).kappa == 0


def test_a_single_label_has_no_kappa() -> None:
    found = agreement(*pair([[5]]))
    assert np.isnan([found.kappa, found.kappa_low, found.kappa_high]).all()
    assert (found.reason, found.estimate) == (NO_CHANCE, 1)


def test_the_table_and_every_label() -> None:
    found = agreement(*pair([[3, 1, 0], [0, 0, 0], [0, 2, 4]]))
    assert found.table.to_numpy().tolist() == [[3, 1, 0], [0, 0, 0], [0, 2, 4]]
    assert list(found.table.index) == list(found.table.columns) == [A, B, C]
    assert found.by_label["agreement"].tolist() == pytest.approx([6 / 7, 0, 8 / 10])
    assert found.by_label[["n_first", "n_second", "n_both"]].to_numpy().tolist() == [
        [4, 3, 3],
        [0, 3, 0],
        [6, 4, 4],
    ]


def test_only_runs_that_both_have_count() -> None:
    first, second = pd.Series({"x": A, "y": B, "z": A}), pd.Series({"y": B, "z": C, "w": A})
    found = agreement(first, second)
    assert (found.n_runs, found.n_agree) == (2, 1)
    with pytest.raises(ValueError, match="nothing was labelled by both"):
        agreement(first[["x"]], second[["w"]])


def test_neighbours_are_pairs_of_labels() -> None:
    assert all(len(pair) == 2 and pair <= set(LABELS) for pair in NEIGHBOURS)


def test_the_runs_that_differ() -> None:
    runs = pd.DataFrame(
        {"results": "r", "run": ["p2", "p1", "p0"], "label": [A, B, C], "reason": "because"},
        index=["c", "b", "a"],
    )
    marks = pd.DataFrame(
        {"label": [B, B, A], "second": [C, "", ""], "quality": "no", "comment": ["odd", "", ""]},
        index=["a", "b", "c"],
    )
    assert differing(runs, marks, runs)["run"].tolist() == ["p0"]
    row = differing(runs, marks, runs).loc["a"]
    assert (row["label_first"], row["label_second"], row["reason_second"]) == (B, C, "because")
    assert (row["comment_first"], bool(row["second_fits"])) == ("odd", True)
    two = differing(runs, marks, marks.assign(label=[C, A, A], second=["", B, ""]))
    assert two["second_fits"].to_dict() == {"b": True, "a": True}

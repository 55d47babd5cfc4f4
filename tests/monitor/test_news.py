from __future__ import annotations

from dataclasses import replace

from stability.monitor.news import Item, News
from stability.records import Divergence, Evaluation, Event, EventKind, History
from stability.spec import Thresholds

GOOD = {"precision": 0.8, "modes": 10, "diversity": 1.0, "fid_excess": 0.05, "separation": 0.7}
LOST = {"precision": 0.8, "modes": 1, "diversity": 0.1, "fid_excess": 2.0, "separation": 0.9}
YOUNG = {"precision": 0.3, "modes": 4, "diversity": 0.6, "fid_excess": 0.9, "separation": 0.99}
SAME = {"precision": 0.0, "modes": 0, "diversity": 0.01, "fid_excess": 3.0, "separation": 1.0}


def evaluation(step: int, values: dict[str, float]) -> Evaluation:
    blank = dict.fromkeys(("recall", "density", "coverage", "effective_modes", "kl", "fid_ratio"), 0.5)
    fixed = {
        "run": "r",
        "step": step,
        "n_samples": 64,
        "features": "f",
        "sized": {},
        "class_shares": (0.1,) * 10,
    }
    more = {"fid_floor": 1.0, "fid_floor_std": 0.1, "n_modes": 10, "classifier_confidence": 0.9}
    last = {"memorisation": 1.0, "confident_share": 0.9, "class_agreement": None, "diversity_within": None}
    return Evaluation(**(fixed | blank | more | last | values))


def told(*visits: dict[str, float]) -> list[list[Item]]:
    """What is new at each visit, one every hundred steps."""
    news, known, found = News(Thresholds()), [], []
    for number, values in enumerate(visits, 1):
        known.append(evaluation(100 * number, values))
        found.append(list(news.of(History("r", (), tuple(known), None, 100 * number))))
    return found


def test_a_collapse_after_having_been_good_is_told_once_it_has_lasted_and_once_only() -> None:
    items = told(GOOD, GOOD, LOST, LOST, LOST, LOST)
    assert [len(new) for new in items] == [0, 0, 0, 0, 2, 0]
    (item,) = [item for item in items[4] if item.alarm]
    assert isinstance(item.what, Event)
    assert (item.what.kind, item.what.onset) == (EventKind.COLLAPSE, 300)
    assert [item.what.kind for item in items[4] if not item.alarm] == [EventKind.MODE_DROPPING]
    assert item.words.startswith("collapse since step 300: was good, then 1 of 10 modes")


def test_that_it_was_over_is_told_too_and_is_no_alarm() -> None:
    items = [item for new in told(GOOD, LOST, LOST, LOST, GOOD, GOOD) for item in new if item.over]
    assert "collapse of step 200 was over at step 500" in [item.words for item in items]
    assert not any(item.alarm for item in items)


def test_one_image_for_every_z_from_the_beginning_is_an_alarm() -> None:
    kinds = [{item.what.kind for item in new if item.alarm} for new in told(SAME, SAME, SAME)]
    assert kinds == [set(), set(), {EventKind.COLLAPSE, EventKind.LATENT_IGNORED}]


def test_a_young_run_with_a_discriminator_ahead_raises_no_alarm() -> None:
    items = [item for new in told(*[YOUNG] * 5) for item in new]
    assert {item.what.kind for item in items} >= {EventKind.DOMINATION}
    assert not any(item.alarm for item in items)


def test_a_healthy_run_is_no_news() -> None:
    assert told(YOUNG, GOOD, GOOD, GOOD, GOOD) == [[]] * 5


def test_a_divergence_is_told_at_once_and_once() -> None:
    news, history = News(Thresholds()), History("r", (), (), Divergence(7, "loss_d"), 7)
    (item,) = news.of(history)
    assert (item.words, item.alarm) == ("diverged: loss_d is not finite at step 7", True)
    assert list(news.of(replace(history, last_step=9))) == []

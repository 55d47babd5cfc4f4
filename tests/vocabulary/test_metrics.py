"""The lists of what is measured name what records, visits and events have."""

from __future__ import annotations

from dataclasses import fields

from stability.records import Evaluation, EventKind, Record
from stability.vocabulary.metrics import (
    AROUND_ONSETS,
    CURVES,
    EVENT_FLAGS,
    EVENTS,
    FINAL,
    IN_PANEL,
    QUANTITIES,
    RECORDED,
    TABLED,
    TABLED_IF_KNOWN,
    VISIT_CURVES,
    VISITED,
    titled,
)

RECORD, VISIT = ({field.name for field in fields(kind)} for kind in (Record, Evaluation))
DERIVED = {"modes_share", "held_out_separation"}
"""Made of several fields, or named apart from a record's."""
OF_RUNS = {"step", "seconds", "best_fid_ratio", "divergence_step"}
"""Columns of runs that no visit has."""


def test_what_is_listed_is_recorded_or_measured_at_visits() -> None:
    assert set(RECORDED) | set(CURVES) <= RECORD
    assert set(VISITED) - DERIVED <= VISIT
    assert set(FINAL) | set(VISIT_CURVES) | set(TABLED_IF_KNOWN) <= VISIT
    assert (set(TABLED) | set(IN_PANEL)) - OF_RUNS <= set(FINAL)


def test_no_quantity_of_records_has_the_name_of_one_of_visits() -> None:
    assert set(RECORDED).isdisjoint(VISITED)
    assert list(QUANTITIES) == [*RECORDED, *VISITED]


def test_what_an_autopsy_shows_has_a_label_and_words() -> None:
    assert all(QUANTITIES[name].label and QUANTITIES[name].spoken for name in AROUND_ONSETS)
    assert titled("fid_ratio") == "FID / floor (log)"
    assert titled("separation") == "separation, batch"


def test_every_kind_of_event_but_collapse_has_one_flag() -> None:
    assert sorted(EVENT_FLAGS.values()) == sorted(set(EventKind) - {EventKind.COLLAPSE})
    assert [name for name in EVENTS if name.startswith("collapse")] == [
        "collapse_ever",
        "collapse_never_good",
        "collapse_at_horizon",
    ]

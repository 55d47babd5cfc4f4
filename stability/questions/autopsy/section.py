"""Autopsies: what runs look like around a collapse or saturation, what moved first, chosen runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from PIL import Image

from stability.page_kit.blocks import Block
from stability.page_kit.embed import data_uri
from stability.page_kit.estimate import Cell, missing, rows_of, text_of
from stability.page_kit.pictures import encode_picture, shown_size
from stability.page_kit.svg import inline_svg
from stability.page_kit.tables import Column, Table, across, by_two, table
from stability.page_kit.words import capital, interval, listed, number, plural, slug, steps
from stability.questions.autopsy.estimate import CASE, CONTROL, Autopsies
from stability.questions.autopsy.figure import aligned_panels, first_moves, run_panels
from stability.reading.study import Study
from stability.records import EventKind
from stability.store import FilmStrip, Store, read_filmstrip
from stability.store.sheets import as_sheet
from stability.vocabulary.metrics import AROUND_ONSETS, QUANTITIES, VISITED, titled

NAMES = {name: titled(name) for name in AROUND_ONSETS}
LOGS = [name for name in AROUND_ONSETS if QUANTITIES[name].log]
HAPPENED = {EventKind.COLLAPSE: ("collapse", "collapsed"), EventKind.SATURATION: ("saturation", "saturated")}
UNHARMED = "runs that come to no harm, at like steps"

MOST_IMAGES = 8
"""Images of a visit that are shown."""


def autopsy_blocks(study: Study, autopsies: Autopsies) -> list[Block]:
    """What is typical, what came first, and up to three runs with their pictures."""
    what, had = _words(autopsies.kind)
    if autopsies.chosen.empty:
        question, finding = (
            f"What do runs look like before and after a {what}?",
            f"{capital(autopsies.reason)}.",
        )
        return [Block(f"{what}-typical", question, finding, data=autopsies.typical)]
    runs = [
        _run_block(study, autopsies, case, place)
        for place, case in enumerate(autopsies.chosen.to_dict("records"))
    ]
    if autopsies.reason:
        return runs
    return [_typical_block(autopsies, what, had), _first_block(autopsies, what, had), *runs]


def _typical_block(autopsies: Autopsies, what: str, had: str) -> Block:
    finding = _typical_finding(autopsies, what)
    groups = {CASE: f"runs that {had}: median and middle half", CONTROL: UNHARMED}
    figure = aligned_panels(autopsies.typical, NAMES, LOGS, groups)
    alt = f"Medians over runs of seven quantities by steps from the onset of the {what}. {finding}"
    return Block(
        key=f"{what}-typical",
        question=f"What do runs look like before and after a {what}?",
        finding=finding,
        figure=inline_svg(figure, f"{what}-typical", alt),
        note=_typical_note(autopsies, what),
        data=autopsies.typical,
    )


def _typical_note(autopsies: Autopsies, what: str) -> str:
    used, n_left_out = plural(autopsies.n_cases, "run"), autopsies.n_never_good
    if autopsies.n_cases < autopsies.n_available:
        used = f"{autopsies.n_cases:,} of the {autopsies.n_available:,}, drawn at random"
    note = (
        f"{capital(used)}, aligned at the visit at which the {what} was first seen (dashed line: it began "
        f"at most {autopsies.every:,} steps earlier). Grey: {plural(autopsies.n_controls, 'run')} that come "
        "to no harm (no collapse, no saturation, and an outcome that is no failure), each at the onset of "
        "another. What was recorded between two visits is taken together. Fewer runs reach the edges: the "
        "data say how many. This describes runs; it is no rate."
    )
    if not n_left_out or autopsies.kind is not EventKind.COLLAPSE:
        return note
    return (
        f"{note} {plural(n_left_out, 'collapse')} of runs that never were good had no healthy time to "
        "compare with and are left out."
    )


def _typical_finding(autopsies: Autopsies, what: str) -> str:
    cases = autopsies.typical[autopsies.typical["group"] == CASE].set_index(["quantity", "visit"])["median"]
    told = []
    for quantity in ("modes_share", "fid_ratio", "separation"):
        if {(quantity, -1), (quantity, 0)} <= set(cases.index):
            before, at = (number(float(cases[quantity, visit])) for visit in (-1, 0))
            told.append(f"{QUANTITIES[quantity].spoken} goes from {before} to {at}")
    runs = plural(autopsies.n_cases, "run")
    return f"From the visit before the {what} to the one at which it is seen, in the median of {runs}: " + (
        f"{listed(told)}." if told else "nothing was measured."
    )


FIRST_NOTE = (
    "Moved: it left the band of its own healthy values (median ± 4 median absolute deviations) at least one "
    "visit, {every:,} steps, before the {what} was seen, and stayed outside until then. What moves later "
    "may be the {what} itself. Controls: runs that come to no harm (no collapse, no saturation, and an "
    "outcome that is no failure), judged by the same rule at the onset of another run; they show how often "
    "it raises the alarm for nothing. Runs with fewer than four healthy values are not judged. 95% "
    "intervals over points, each for itself."
)


def _first_block(autopsies: Autopsies, what: str, had: str) -> Block:
    finding = _first_finding(autopsies.first, what)
    groups = {CASE: f"runs that {had}", CONTROL: UNHARMED}
    figure = None
    if autopsies.first["estimate"].notna().any():
        drawn = first_moves(autopsies.first, NAMES, groups)
        alt = f"Share of runs in which each quantity moved before the {what}, controls beside. {finding}"
        figure = inline_svg(drawn, f"{what}-first", alt)
    return Block(
        key=f"{what}-first",
        question=f"What moves first, before a {what}?",
        finding=finding,
        figure=figure,
        note=FIRST_NOTE.format(every=autopsies.every, what=what),
        tables=(_first_table(autopsies.first, had),),
        data=autopsies.first,
    )


def _first_finding(first: pd.DataFrame, what: str) -> str:
    known = first[first["ci_low"].notna()]
    cases, controls = (
        {row["quantity"]: row for row in rows_of(known[known["group"] == group])} for group in (CASE, CONTROL)
    )
    if not cases:
        return "Not estimable: too few runs have enough healthy values before the onset."
    if not controls:
        return "Not estimable: too few runs come to no harm to tell how often the same is seen for nothing."
    ahead = [
        name
        for name in NAMES
        if name in cases and name in controls and cases[name]["ci_low"] > controls[name]["ci_high"]
    ]
    if not ahead:
        return (
            f"Nothing is seen to move before a {what} more often than in runs that come to no harm: "
            "no interval stands apart from its control's."
        )
    told = [
        f"{QUANTITIES[name].spoken} in {text_of(cases[name])} of the runs, "
        f"{steps(cases[name]['lead_median'])} steps ahead in the median "
        f"(in those without harm: {text_of(controls[name])})"
        for name in sorted(ahead, key=lambda name: -cases[name]["estimate"])
    ]
    return f"Moved before a {what} more often than in runs that come to no harm: {listed(told)}."


def _first_table(first: pd.DataFrame, had: str) -> Table:
    found = by_two(first, "quantity", "group")

    def ahead(name: str) -> Cell:
        row = found[name, CASE]
        if pd.isna(row["lead_q25"]):
            return missing()
        return Cell(number(row["lead_median"]), interval(row["lead_q25"], row["lead_q75"], number))

    def judged(name: str) -> str:
        return " / ".join(f"{found[name, group]['n_runs']:,}" for group in (CASE, CONTROL))

    columns = (
        Column("quantity", lambda name: QUANTITIES[name].label, is_number=False),
        *across(found, {CASE: f"moved, of runs that {had}"}),
        Column("steps ahead, median [middle half]", ahead),
        *across(found, {CONTROL: "moved, of runs without harm"}),
        Column("runs judged", judged),
    )
    return table("Share of runs in which each quantity moved first [95% interval]", NAMES, columns)


def _run_block(study: Study, autopsies: Autopsies, case: dict[Any, Any], place: int) -> Block:
    what, _ = _words(autopsies.kind)
    run, onset = str(case["run"]), int(case["onset"])
    recovery = None if pd.isna(case["recovery"]) else int(case["recovery"]) - onset
    row = study.trained[study.trained["run"] == run].iloc[0]
    courses = _courses(autopsies, run, onset)
    over = f"is over {recovery:,} steps later" if recovery is not None else "is not over at the end"
    finding = f"The {what} is seen at step {onset:,} and {over}; the run ends {row['outcome']}."
    alt = f"Seven quantities of run {run} by steps from the onset of its {what}. {finding}"
    key = f"{what}-run-{place + 1}"
    figure = inline_svg(run_panels(courses, NAMES, LOGS, recovery), key, alt)
    strip = _strip(study, run, onset)
    settings = listed([f"{name} {number(_plain(row[name]))}" for name in study.varied])
    return Block(
        key=key,
        question=f"What happened in {run}?",
        finding=finding,
        figure=Markup("{}{}").format(figure, strip),
        note=(
            f"Chosen as {case['why']}. {settings}. Dashed: the onset"
            f"{'; dotted: the recovery' if recovery is not None else ''}. "
            + ("Pictures: the same noise around the onset." if strip else "No pictures were kept.")
        ),
        data=pd.concat([course.assign(quantity=name) for name, course in courses.items()]),
    )


def _courses(autopsies: Autopsies, run: str, onset: int) -> dict[str, pd.DataFrame]:
    """Frames `offset, value` by quantity."""
    visits = autopsies.evaluations.assign(
        modes_share=autopsies.evaluations["modes"] / autopsies.evaluations["n_modes"]
    )
    courses = {}
    for quantity in AROUND_ONSETS:
        rows = visits if quantity in VISITED else autopsies.records
        rows = rows[rows["run"] == run].sort_values("step")
        courses[quantity] = pd.DataFrame(
            {"offset": rows["step"] - onset, "value": rows[quantity].astype(float)}
        )
    return courses


def _strip(study: Study, run: str, onset: int) -> Markup:
    """A table of pictures: the last visit before the onset, the onset, the next one and the last."""
    path = Store(study.frames.folder, study.frames.plan).picture(run)
    if not path.is_file():
        return Markup("")
    film = read_filmstrip(path)
    rows = [_strip_row(film, place, words) for place, words in strip_places(film.steps, onset)]
    table = Markup('<table class="samples"><caption class="small">Samples of {}</caption>{}</table>')
    return table.format(run, Markup("").join(rows))


def strip_places(steps: Sequence[int], onset: int) -> list[tuple[int, str]]:
    """The rows of a filmstrip that show an onset, in their order, each with its name."""
    at = int(np.searchsorted(np.asarray(steps), onset))
    wanted = {at - 1: "before", at: "onset", at + 1: "after", len(steps) - 1: "last"}
    named = {at - 1: "before", at: "onset", at + 1: "after"}
    return [
        (place, named.get(place, words)) for place, words in sorted(wanted.items()) if 0 <= place < len(steps)
    ]


def _strip_row(film: FilmStrip, place: int, words: str) -> Markup:
    images, step = film.images[[place], :MOST_IMAGES], film.steps[place]
    row = Markup(
        '<tr><th scope="row">{}, step {:,}</th><td><img src="{}" alt="{}" width="{}" height="{}"></td></tr>'
    )
    alt = f"{images.shape[1]} generated images at step {step:,}, {words}"
    source = data_uri("image/png", encode_picture(Image.fromarray(as_sheet(images))))
    return row.format(words, step, source, alt, *shown_size(images))


def _words(kind: EventKind) -> tuple[str, str]:
    plain = slug(kind.value)
    return HAPPENED.get(kind, (plain, f"had a {plain}"))


def _plain(value: Any) -> Any:
    """A NumPy scalar as Python's own."""
    return value.item() if isinstance(value, np.generic) else value

from __future__ import annotations

import json
from collections.abc import Callable

from stability import __version__
from stability.reading.frames import StudyFrames
from stability.reading.study import Study
from stability.report.methods import citation, methods
from stability.spec import Design, Thresholds

MakeStudy = Callable[..., StudyFrames]


def test_the_paragraph_tells_design_thresholds_and_estimates(make_study: MakeStudy) -> None:
    text = methods(Study(make_study()))
    for part in (
        f"We trained 36 GANs on mnist with stability {__version__}, for 1,000 generator steps each.",
        "6 points with 2 seeds each",
        "Sobol",
        "lr_ratio 0.05 to 20 (drawn log-uniformly)",
        "loss minimax, non-saturating, hinge (crossed)",
        "Fixed were batch_size 64",
        "A run was stopped once it was diverged.",
        f"saturated_separation {Thresholds().saturated_separation}",
        "95% Wilson intervals",
        "points are the units",
    ):
        assert part in text, part
    assert "SHA-256" not in text  # nothing was kept of where it was trained
    assert all(name in text for name in Thresholds.model_fields if name != "measures")


def test_what_the_study_was_trained_with_is_named_by_version_and_digest(make_study: MakeStudy) -> None:
    frames = make_study()
    environment = {
        "stability": "0.0.9",
        "libraries": {"torch": "2.9", "numpy": "2.0"},
        "dataset": {"sha256": "abcdef0123456789"},
    }
    (frames.folder / "environment.json").write_text(json.dumps(environment))
    text = methods(Study(frames))
    assert "with stability 0.0.9 (torch 2.9 and numpy 2.0)" in text
    assert text.endswith("SHA-256 digests begin with: dataset abcdef012345.")


def test_a_search_and_seeds_say_what_they_are(make_study: MakeStudy) -> None:
    search = methods(Study(make_study(design=Design(sampler="tpe", points=3, seeds=1, cross=()))))
    assert "no rate is estimated" in search
    assert "Wilson" not in search
    assert "seeds are the units" in methods(
        Study(make_study(design=Design(points=1, seeds=3, cross=("loss",))))
    )


def test_the_citation_names_the_version() -> None:
    assert f"version = {{{__version__}}}" in citation()

"""The latent views beside a run's curves: its own and those of its trial, small enough for a page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from stability.page_kit.embed import data_uri
from stability.page_kit.pictures import as_picture, coordinates, encode_picture, shown_size
from stability.store import LatentView, Store, read_latent_view

MOST_VIEWS = 3
VIEW_NUMBERS = 200_000
"""More bytes of a view than this, before compression, are left out of the page."""


def trial_views(store: Store, runs: pd.DataFrame, run: str) -> dict[str, Any] | None:
    """Latent views of a run and of its trial's other seeds, the run first, for the page's script.

    `pictures` has them, `note` says what their coordinates are. None where the run has none.
    """
    trial = runs.loc[runs["run"] == run, "trial"].iloc[0]
    alike = runs[runs["trial"] == trial].assign(other=lambda frame: frame["run"] != run)
    found = [
        (str(row["run"]), str(row["outcome"]), read_latent_view(path))
        for row in alike.sort_values(["other", "replicate"]).to_dict("records")
        if (path := store.latent_view(str(row["run"]))).is_file()
    ][:MOST_VIEWS]
    if not found or found[0][0] != run:
        return None
    shown = [(name, outcome, _thinned(view)) for name, outcome, view in found]
    return {"pictures": [_view(*one) for one in shown], "note": coordinates(shown[0][2])}


def _thinned(view: LatentView) -> LatentView:
    """The view with fewer rows where its images are large; a manifold keeps its square and its corners."""
    images = view.images
    while images.size > VIEW_NUMBERS and len(images) > 3:
        images = images[::2, ::2] if view.kind == "manifold" else images[: len(images) // 2]
    return replace(view, images=images)


def _view(run: str, outcome: str, view: LatentView) -> dict[str, Any]:
    picture = as_picture(view)
    rows, columns = view.images.shape[:2]
    wide, high = shown_size(view.images)
    return {
        "run": run,
        "outcome": outcome,
        "source": data_uri("image/png", encode_picture(picture)),
        "alt": f"Latent view of {run}: {rows} rows of {columns} generated images",
        "width": wide,
        "height": high,
    }

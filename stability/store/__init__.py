"""The results folder: the only file I/O for runs. Works without torch and Optuna."""

from stability.store.checkpoints import DamagedCheckpoint, decode_history, encode_history
from stability.store.cohorts import CohortData
from stability.store.filmstrips import FilmStrip, read_filmstrip
from stability.store.latent_views import LatentView, ViewKind, read_latent_view
from stability.store.plan import FORMAT_VERSION, Plan, PlannedCohort
from stability.store.states import CohortState
from stability.store.store import Store

__all__ = [
    "FORMAT_VERSION",
    "CohortData",
    "CohortState",
    "DamagedCheckpoint",
    "FilmStrip",
    "LatentView",
    "Plan",
    "PlannedCohort",
    "Store",
    "ViewKind",
    "decode_history",
    "encode_history",
    "read_filmstrip",
    "read_latent_view",
]

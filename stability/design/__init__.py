"""Study -> points x levels x seeds -> runs. Pure functions; the only layer that knows Optuna's samplers."""

from stability.design.points import draw_points
from stability.design.runs import plan_runs
from stability.design.search import ROUND, FinishedPoint, next_points
from stability.design.space import native_distributions

__all__ = ["ROUND", "FinishedPoint", "draw_points", "native_distributions", "next_points", "plan_runs"]

"""study.yaml -> frozen, validated `StudySpec`. The lowest layer: imports nothing of the package but errors."""

from stability.spec.config import PARAMETERS, RECIPES, Config, Run
from stability.spec.study import Choice, Design, Range, Recording, StudySpec, Training
from stability.spec.thresholds import Thresholds

__all__ = [
    "PARAMETERS",
    "RECIPES",
    "Choice",
    "Config",
    "Design",
    "Range",
    "Recording",
    "Run",
    "StudySpec",
    "Thresholds",
    "Training",
]

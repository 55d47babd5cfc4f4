"""study.yaml -> frozen, validated `StudySpec`. The lowest layer: imports only errors."""

from stability.spec.config import PARAMETERS, RECIPES, Config, Run
from stability.spec.expand import doubts, make_config
from stability.spec.loader import dump_study, load_study, parse_study
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
    "doubts",
    "dump_study",
    "load_study",
    "make_config",
    "parse_study",
]

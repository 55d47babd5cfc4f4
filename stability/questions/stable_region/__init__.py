"""Where do runs succeed, and which ranges are safe?"""

from __future__ import annotations

from collections.abc import Iterable

from stability.page_kit.blocks import Block
from stability.questions.question import Asked, Question, seeded
from stability.questions.stable_region.estimate import StabilityMap, stability_map
from stability.questions.stable_region.runs_section import map_block
from stability.questions.stable_region.safe_box import SafeBoxes, safe_boxes
from stability.questions.stable_region.section import regions_blocks
from stability.reading.study import Study


def _estimated(asked: Asked) -> tuple[StabilityMap, SafeBoxes]:
    study, spec = asked.study, asked.study.frames.spec
    regions = stability_map(study.runs, spec, study.map_axes, rng=seeded(0))
    return regions, safe_boxes(asked.shared, spec, study.main_factor, rng=seeded(1))


def _blocks(study: Study, regions: StabilityMap, boxes: SafeBoxes) -> Iterable[Block]:
    """The estimated map first, where there is one: it shows the runs, too."""
    estimated, runs = regions_blocks(study, regions, boxes), map_block(study)
    return [*runs, *estimated] if regions.reason else [*estimated, *runs]


QUESTION = Question(("regions", "boxes"), _estimated, _blocks, "the map and safe ranges")

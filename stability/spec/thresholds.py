"""The thresholds of the outcome rules, as data: any of them can be set under `outcomes:` in a study file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Ratio = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Measure = Literal["fid", "precision", "modes", "diversity"]
"""What a label of samples can rest on; separation, updates and losses are always looked at."""
MEASURES: tuple[Measure, ...] = ("fid", "precision", "modes", "diversity")

RULES = 2
"""Counted up when the outcome rules change: equal thresholds may then label the same run otherwise."""


class Thresholds(BaseModel):
    """Defaults were fixed on runs whose seeds appear in no study."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    measures: Annotated[tuple[Measure, ...], Field(min_length=1)] = MEASURES
    """What labels rest on. Modes are left out by themselves where the data have one class or none."""
    persist: Annotated[int, Field(ge=1)] = 3
    """Visits over which a state is judged (by their median), and that an event must last."""
    good_precision: Share = 0.2
    """A visit is good from this precision on, ..."""
    good_modes: Share = 0.5
    """... with this share of the modes covered and nothing of the following lost."""
    lost_precision: Share = 0.1
    """A run that was good has lost it below this precision (which alone is no collapse), ..."""
    lost_modes: Share = 0.3
    """... or with at most this share of the modes, ..."""
    lost_diversity: Share = 0.3
    """... or below this diversity."""
    stable_excess: Ratio = 0.08
    """Stable: the FID excess of the last visits is at most this, ..."""
    stable_precision: Share = 0.4
    """... from this precision on, ..."""
    stable_modes: Share = 0.9
    """... with this share of the modes covered."""
    nearly_excess: Ratio = 0.3
    """Nearly stable: the FID excess is at most this and nothing lost, ..."""
    nearly_distance: Ratio = 2.1
    """... of images (as of stable ones) whose median distance to the nearest training image is at most this
    many times that of held-out ones, ..."""
    nearly_modes: Share = 0.8
    """... with this share of the modes covered; ..."""
    nearly_recall: Share = 0.12
    """... but learning (as is what would be stable), if it gains and has come there only just now or has a
    recall below this."""
    collapsed_diversity: Share = 0.2
    """Collapsed: (nearly) one image for every z, the diversity is below this."""
    recognisable_distance: Ratio = 2.0
    """Partial collapse: recognisable images, that is at most this far by the same distance, ..."""
    recognisable_precision: Share = 0.05
    """... (recognisable points from this precision on), of fewer than `nearly_modes`."""
    saturated_separation: Share = 0.99
    """Saturated: separation from here on ..."""
    saturated_update: Ratio = 0.02
    """... while either network's median update since the visit before is below this; or both are, of samples
    that are not even nearly stable."""
    dominated_separation: Share = 0.97
    """Dominated: recorded separation from here on, lately and by the median of the last two thirds of the
    visits, of fewer than `good_modes` and samples that are not even nearly stable."""
    swing: Share = 0.5
    """Oscillating: the recorded separation (running median of seven) falls or rises by this ..."""
    swings: Annotated[int, Field(ge=1)] = 2
    """... so many times over the last two thirds of the run."""
    new_ground: Share = 0.9
    """Learning: the line of the FID excess ends at most at this share of the best of as many visits before
    the last ..."""
    learning_horizon: Ratio = 1.7
    """... and would, going on like that, be nearly stable within this many times the steps so far."""
    explosion: Ratio = 100.0
    """Exploded: the median |loss| since the visit before is this many times the first one (at least 1)."""
    fooled_separation: Share = 0.45
    """Discriminator fooled: separation below this."""
    spike_factor: Ratio = 10.0
    """Loss spike: |loss_d| or |loss_g| above this many times its running median (or .1, if that is more)."""
    dropped_modes: Annotated[int, Field(ge=1)] = 2
    """Mode dropping: once good, this many modes fewer than the most that were covered before."""
    latent_ignored_diversity: Share = 0.05
    """Latent ignored: diversity below this, z no longer changes the image; collapsed whatever else is so."""

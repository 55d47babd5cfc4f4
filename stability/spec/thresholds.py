"""The thresholds of the outcome rules, as data: any of them can be set under `outcomes:` in a study file."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Ratio = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Thresholds(BaseModel):
    """Defaults were fixed on a pilot whose seeds appear in no study."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    persist: Annotated[int, Field(ge=1)] = 3
    """Visits that saturation, a fooled discriminator, an ignored latent and a low diversity must last."""
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
    saturated_separation: Share = 0.99
    """Saturated: separation from here on ..."""
    saturated_update: Ratio = 0.01
    """... while either network's median update since the visit before is below this."""
    collapsed_diversity: Share = 0.2
    """Never good, but collapsed: diversity below this at the last visits and no progress left."""
    degraded_ratio: Ratio = 2.0
    """Degraded: the last FID ratio is more than this many times the best one, modes not lost."""
    stable_fid_ratio: Ratio = 50.0
    """Stable: the last FID ratio is at most this, ..."""
    stable_modes: Share = 0.9
    """... with this share of the modes covered."""
    progress: Ratio = 0.15
    """Unfinished: log FID still falls by at least this over the last third (at least 3) of the visits."""
    fooled_separation: Share = 0.45
    """Discriminator fooled: separation below this."""
    spike_factor: Ratio = 10.0
    """Loss spike: |loss_d| or |loss_g| above this many times its running median (or .1, if that is more)."""
    dropped_modes: Annotated[int, Field(ge=1)] = 2
    """Mode dropping: once good, this many modes fewer than the most that were covered before."""
    latent_ignored_diversity: Share = 0.05
    """Latent ignored: diversity below this, so z no longer changes the image."""

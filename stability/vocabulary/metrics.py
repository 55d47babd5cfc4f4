"""What is measured of a run: how each quantity is called, whether by its logarithm, and where it is shown.

Formulas stand with the fields of `Record` and `Evaluation` in `records`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quantity:
    """What records or visits say of a run, over its steps."""

    log: bool = False
    """Whether it is looked at by its logarithm."""
    label: str = ""
    """As a figure names it, where one does."""
    spoken: str = ""
    """As a sentence names it."""


RECORDED: dict[str, Quantity] = {
    "separation": Quantity(False, "separation, batch", "separation"),
    "grad_norm_g": Quantity(True, "G's gradient norm", "the generator's gradient norm"),
    "grad_norm_d": Quantity(True, "D's gradient norm", "the discriminator's gradient norm"),
    "generator_update": Quantity(True, "G's update / lr", "the generator's update"),
    "discriminator_update": Quantity(True, "D's update / lr", "the discriminator's update"),
    "signal": Quantity(True),
    "fake_grad_norm": Quantity(True),
    "loss_g": Quantity(),
    "loss_d": Quantity(),
}
"""Of every record; an early warning may look at all of them."""
VISITED: dict[str, Quantity] = {
    "fid_ratio": Quantity(True, "FID / floor", "the FID ratio"),
    "modes_share": Quantity(False, "modes covered, share", "the share of modes"),
    "effective_modes": Quantity(),
    "precision": Quantity(),
    "diversity": Quantity(),
    "held_out_separation": Quantity(),
}
"""Of every visit; an early warning may look at all of them."""
QUANTITIES = RECORDED | VISITED

AROUND_ONSETS = (
    "separation",
    "generator_update",
    "discriminator_update",
    "grad_norm_g",
    "grad_norm_d",
    "modes_share",
    "fid_ratio",
)
"""Shown around the onset of an event."""
CURVES = (
    "separation",
    "loss_d",
    "loss_g",
    "grad_norm_d",
    "grad_norm_g",
    "discriminator_update",
    "generator_update",
    "real_probability",
    "fake_probability",
)
"""Of records, drawn in a run's panel of the page."""
VISIT_CURVES = ("separation", "modes", "n_modes", "fid_excess")
"""Of visits, drawn there too."""

TABLED = ("fid_excess", "modes", "precision", "step", "seconds")
"""Of a run's last visit, in the page's table of runs."""
TABLED_IF_KNOWN = ("class_agreement", "diversity_within")
"""There where any run has them, as are PacGAN's metrics."""
IN_PANEL = (
    "best_fid_ratio",
    "recall",
    "diversity",
    "separation",
    "kl",
    "confident_share",
    "memorisation",
    "divergence_step",
)
"""Only in a run's own panel, where any run has them."""
FINAL = (
    "fid_excess",
    "fid_ratio",
    "modes",
    "precision",
    "recall",
    "diversity",
    "separation",
    "effective_modes",
    "kl",
    "confident_share",
    "memorisation",
    "class_agreement",
    "diversity_within",
)
"""Columns of a frame of runs: their values at a run's last visit, missing where it had none."""
OWN_PREFIX = "own_"
"""Before the names of metrics of the user's own, ..."""
EXTRA_PREFIXES = ("modes_pacgan_", "kl_pacgan_", OWN_PREFIX)
"""... which are columns of `runs`, at a run's last visit, where there are any; so are PacGAN's metrics."""

EVENT_FLAGS: dict[str, str] = {
    "saturation_ever": "saturation",
    "domination_ever": "domination",
    "oscillation_ever": "oscillation",
    "explosion_ever": "explosion",
    "discriminator_fooled": "discriminator_fooled",
    "loss_spike": "loss_spike",
    "mode_dropping": "mode_dropping",
    "latent_ignored": "latent_ignored",
}
"""Columns of a frame of runs: whether an event of such a kind happened, provisional ones included."""
EVENTS = ("collapse_ever", "collapse_never_good", "collapse_at_horizon", *EVENT_FLAGS)
"""The boolean columns of a frame of runs; unlike outcomes they do not exclude each other."""


def titled(name: str) -> str:
    """A quantity's label with its scale, as in `FID / floor (log)`."""
    return QUANTITIES[name].label + (" (log)" if QUANTITIES[name].log else "")

"""The field's words for a visitor: a sentence each, shown on hover and listed once in the page."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

TERMS: dict[str, str] = {
    "GAN": "generative adversarial network: a generator draws pictures out of random numbers, a "
    "discriminator tells them from real ones, and each is trained against the other",
    "loss": "the formula that says how well each of the two networks does; what training makes small",
    "point": "one setting of everything that was varied, such as a learning rate; every loss is tried at it",
    "seed": "the number that all chance of a run comes from: another seed, another start and other batches",
    "step": "one update of the generator",
    "horizon": "how many steps a run is given",
    "success": "ending stable or nearly stable: most pictures can be recognised, few kinds are missing",
    "rate": "the share of runs that something happens to",
    "interval": "how low and how high a share may be over all settings, of which only some were tried",
    "mode": "a kind of example in the data, such as one of the ten digits",
    "FID": "Fréchet inception distance: how far the generated pictures as a whole are from the real ones; "
    "low is good",
    "separation": "how surely the discriminator tells real from generated pictures: .5 is guessing, "
    "1 is never wrong",
    "precision": "the share of generated pictures that look like real ones",
    "lr": "learning rate: how large the updates are",
    "lr_ratio": "the discriminator's learning rate over the generator's",
    "beta1": "how much of the last updates the optimiser carries on with (Adam's momentum)",
    "batchnorm": "which networks normalise every layer over the batch",
}

_WORDS = re.compile(rf"(?<![\w-])({'|'.join(sorted(TERMS, key=len, reverse=True))})(s|es)?(?![\w-])")


def explained(text: str) -> Markup:
    """The text with the first mention of every term explained on hover."""
    seen: set[str] = set()

    def _explained(found: re.Match[str]) -> str:
        if found[1] in seen:
            return found[0]
        seen.add(found[1])
        return f'<abbr title="{escape(TERMS[found[1]])}">{found[0]}</abbr>'

    return Markup(_WORDS.sub(_explained, str(escape(text))))

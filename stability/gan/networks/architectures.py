"""The architectures that a study file can name: the package's own, and any pair that can be imported."""

from __future__ import annotations

from stability.errors import StabilityError
from stability.gan.networks.dcgan import CONDITIONAL, DCGAN
from stability.gan.networks.dense import FULLY_CONNECTED, MLP
from stability.gan.networks.dirac import DIRAC
from stability.gan.networks.maxout import MAXOUT
from stability.gan.networks.pair import Pair
from stability.gan.networks.unpool import UNPOOL
from stability.spec.config import is_own_code
from stability.vocabulary.own_code import find_own

ARCHITECTURES: dict[str, Pair] = {
    "mlp": MLP,
    "dcgan": DCGAN,
    "conditional": CONDITIONAL,
    "unpool": UNPOOL,
    "fully-connected": FULLY_CONNECTED,
    "maxout": MAXOUT,
    "dirac": DIRAC,
}


def find_pair(name: str) -> Pair:
    """The pair of this name: the package's own, or `package.module:attribute`, which imports the module.

    Raises StabilityError in one line, where there is no such pair or importing the module fails.
    """
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    if not is_own_code(name):
        allowed = ", ".join(ARCHITECTURES)
        raise StabilityError(f"{name}: no such architecture; allowed: {allowed} or package.module:pair")
    pair = find_own(name)
    if not isinstance(pair, Pair):
        raise StabilityError(f"{name}: is a {type(pair).__name__}, not a stability.gan.networks.Pair")
    return pair

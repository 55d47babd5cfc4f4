"""Generators and discriminators, described once per structure and later stacked over a cohort's members.

A pair of one's own is a `Pair` in a module of one's own; `check_pair` tells whether the engine can train it.
"""

from stability.gan.networks.activations import ACTIVATIONS
from stability.gan.networks.architectures import ARCHITECTURES, find_pair
from stability.gan.networks.check import check_pair
from stability.gan.networks.layers import (
    LEAK,
    NORM_EPS,
    NORMS,
    NORMS_1D,
    NORMS_2D,
    FeatureNorm,
    MaskDropout,
    MinibatchStd,
    RowNorm,
    Shaped,
    has_batchnorm,
    mask_shapes,
)
from stability.gan.networks.pair import ImageShape, Pair
from stability.gan.networks.unpool import Switches, Unpool
from stability.gan.networks.weights import INIT_STD, INITS, initial_weights

__all__ = [
    "ACTIVATIONS",
    "ARCHITECTURES",
    "INITS",
    "INIT_STD",
    "LEAK",
    "NORMS",
    "NORMS_1D",
    "NORMS_2D",
    "NORM_EPS",
    "FeatureNorm",
    "ImageShape",
    "MaskDropout",
    "MinibatchStd",
    "Pair",
    "RowNorm",
    "Shaped",
    "Switches",
    "Unpool",
    "check_pair",
    "find_pair",
    "has_batchnorm",
    "initial_weights",
    "mask_shapes",
]

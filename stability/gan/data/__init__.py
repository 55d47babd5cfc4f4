"""Real examples: images and points, what the networks are fed of them, and their pictures."""

from stability.gan.data.datasets import Dataset, load_dataset

__all__ = ["Dataset", "load_dataset"]

"""The synthetic studies of `synthetic.py`, for the tests of this folder."""

from synthetic import make_study, page

__all__ = ["make_study", "page"]

"""The widest box of the unit cube in which something happens often enough: peeled, then pasted. Arrays only.

Source: Friedman and Fisher, Bump hunting in high-dimensional data, 1999 (PRIM). Strips are peeled off where
that raises the share most; what was peeled off too eagerly is pasted back as long as the share allows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PEEL = 0.1
"""The share of a box's points that one strip takes, and at least one point."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Points in the unit cube."""

    cube: NDArray[np.float64]
    """`[points, axes]`"""
    counts: NDArray[np.int64]
    """Runs of each point in which it happened, `[points]`."""
    sizes: NDArray[np.int64]
    """Runs of each point, `[points]`."""

    def inside(self, box: Box) -> NDArray[np.bool_]:
        """Which points lie in a box."""
        return box.holds(self.cube)

    def share(self, inside: NDArray[np.bool_]) -> float:
        """The share of runs, among those of some points, in which it happened."""
        return float(self.counts[inside].sum() / max(1, self.sizes[inside].sum()))


@dataclass(frozen=True, slots=True)
class Box:
    """A box in the unit cube, its ends included."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def holds(self, cube: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which rows of `cube` `[points, axes]` lie in it."""
        inside: NDArray[np.bool_] = np.all((cube >= self.low) & (cube <= self.high), axis=1)
        return inside

    @property
    def volume(self) -> float:
        """Its share of the cube."""
        return float(np.prod(self.high - self.low))

    def with_side(self, axis: int, low: float, high: float) -> Box:
        """The same box with other ends along one axis."""
        lows, highs = self.low.copy(), self.high.copy()
        lows[axis], highs[axis] = low, high
        return Box(lows, highs)


def widest_box(sample: Sample, target: float, fewest: int) -> Box:
    """The largest box found with at least `fewest` points and a share of `target`, else the highest share.

    It is the whole cube where that reaches the target. `sample` holds at least `fewest` points.
    """
    peeled = list(_peeled(sample, fewest))
    shares = [sample.share(sample.inside(box)) for box in peeled]
    reaching = [box for box, share in zip(peeled, shares, strict=True) if share >= target]
    if reaching:
        return _pasted(sample, max(reaching, key=lambda box: box.volume), target)
    highest = peeled[int(np.argmax(shares))]  # the first, and so the widest, of equals
    return _pasted(sample, highest, max(shares))


def _peeled(sample: Sample, fewest: int) -> Iterator[Box]:
    """The whole cube, then ever smaller boxes, each the best of all strips off the last."""
    n_axes = sample.cube.shape[1]
    box: Box | None = Box(np.zeros(n_axes), np.ones(n_axes))
    while box is not None:
        yield box
        box = max(
            _without_strip(sample, box, fewest),
            key=lambda smaller: (sample.share(sample.inside(smaller)), smaller.volume),
            default=None,
        )


def _without_strip(sample: Sample, box: Box, fewest: int) -> Iterator[Box]:
    inside = sample.inside(box)
    strip = max(1, int(PEEL * inside.sum()))
    for axis in range(sample.cube.shape[1]):
        values = np.sort(sample.cube[inside, axis])
        cuts = [(values[strip - 1], True), (values[-strip], False)]
        for cut, from_below in cuts:
            kept = values[values > cut] if from_below else values[values < cut]
            if len(kept) < fewest:
                continue
            if from_below:
                yield box.with_side(axis, float(cut + kept[0]) / 2, box.high[axis])
            else:
                yield box.with_side(axis, box.low[axis], float(kept[-1] + cut) / 2)


def _pasted(sample: Sample, box: Box, target: float) -> Box:
    """Move single ends outwards, the one that gains most first, while the share stays at the target."""
    while True:
        wider = [
            larger
            for larger in _with_strip(sample, box)
            if larger.volume > box.volume and sample.share(sample.inside(larger)) >= target
        ]
        if not wider:
            return box
        box = max(wider, key=lambda larger: larger.volume)


def _with_strip(sample: Sample, box: Box) -> Iterator[Box]:
    """The box up to before the second next point on either side: one point more, or none left to stop it."""
    for axis in range(sample.cube.shape[1]):
        others = sample.inside(box.with_side(axis, 0.0, 1.0))
        values = np.sort(sample.cube[others, axis])
        below = values[values < box.low[axis]]
        above = values[values > box.high[axis]]
        yield box.with_side(axis, float(below[-2:].mean()) if len(below) > 1 else 0.0, box.high[axis])
        yield box.with_side(axis, box.low[axis], float(above[:2].mean()) if len(above) > 1 else 1.0)

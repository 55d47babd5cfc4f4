"""Which levels of a crossed factor trained the very same runs: their records are equal to the last bit.

Under every level a run has the same initial weights, batches and noise. Where two losses also have the same
gradients, such as hinge and wasserstein while the hinge never bends, they train one run under two names, and
a comparison of the two compares it with itself. Frame in, frame out; imports no torch and no optuna.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import combinations

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from stability.reading.record_reader import RecordSource, record_tables

Floats = NDArray[np.float64]

TELLING = ("real_logit_mean", "fake_logit_mean", "generator_update", "discriminator_update")
"""What a record says of the networks whatever the loss: two losses may differ by a constant alone."""
SAME_RUN_COLUMNS = ("first", "second", "n_same", "n_half", "n_pairs")


def same_runs(
    runs: pd.DataFrame, source: RecordSource, factor: str, crossed: Sequence[str], *, horizon: int
) -> pd.DataFrame:
    """Count the same runs for every two levels of a factor, one row a pair, levels in order of appearance.

    `n_pairs` are the pairs of recorded runs of one point and seed that differ in the factor alone; `n_same`
    of them have equal records to their end, `n_half` at least until half of the horizon. `crossed` names the
    factors of which every point trains all levels; no row where the factor is none of them.
    """
    if factor not in crossed:
        return pd.DataFrame(columns=list(SAME_RUN_COLUMNS))
    digests = pd.DataFrame(_digests(source, horizon // 2), columns=["run", "half", "whole"])
    cell = ["point", "replicate", *(name for name in crossed if name != factor and name in runs)]
    found = runs[["run", factor, *cell]].merge(digests, on="run").set_index([*cell, factor])
    half, whole = (found[name].unstack(factor) for name in ("half", "whole"))
    rows = [
        (
            first,
            second,
            int((whole[first] == whole[second]).sum()),
            int((half[first] == half[second]).sum()),
            int((whole[first].notna() & whole[second].notna()).sum()),
        )
        for first, second in combinations([level for level in runs[factor].unique() if level in whole], 2)
    ]
    return pd.DataFrame(rows, columns=list(SAME_RUN_COLUMNS))


def _digests(source: RecordSource, middle: int) -> Iterator[tuple[str, bytes | None, bytes | None]]:
    """Of every recorded run: of its records until `middle` (None: it has none so early), and of all."""
    for table in record_tables(source, None, ("run", "step", *TELLING)):
        rows = table.sort_by([("run", "ascending"), ("step", "ascending")])
        names, starts = np.unique(rows["run"].to_numpy(zero_copy_only=False).astype(str), return_index=True)
        numbers = np.column_stack([_floats(rows[name]) for name in ("step", *TELLING)])
        for name, own in zip(names, np.split(numbers, starts)[1:], strict=True):
            yield str(name), _digest(own[own[:, 0] <= middle]), _digest(own)


def _digest(numbers: Floats) -> bytes | None:
    return blake2b(numbers.tobytes(), digest_size=16).digest() if len(numbers) else None


def _floats(column: pa.ChunkedArray) -> Floats:
    numbers: Floats = column.to_numpy().astype(np.float64)
    return numbers

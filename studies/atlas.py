"""Writes an atlas that ships: `python studies/atlas.py results/losses stability/data/atlas/mlp.parquet`."""

import sys
from pathlib import Path

from stability.reading.atlas import write_atlas
from stability.reading.frames import load
from stability.store import Store

if __name__ == "__main__":
    results, out = map(Path, sys.argv[1:])
    write_atlas(load(results), Store.open(results).study_yaml, out)

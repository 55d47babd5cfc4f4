"""Writes when runs first succeeded.

`python studies/horizons.py RESULTS... > stability/data/horizons.json`, where each of RESULTS is a results
folder of a study that stops only runs that diverge.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from stability.questions.time_to_event.horizons import horizon_facts
from stability.reading.frames import load
from stability.reading.histories import stored_histories
from stability.store import Store

if __name__ == "__main__":
    studies = [
        row
        for folder in sys.argv[1:]
        for row in horizon_facts(load(folder), stored_histories(Store.open(Path(folder))))
    ]
    print(json.dumps({"version": 1, "studies": studies}, indent=1))

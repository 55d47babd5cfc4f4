"""Writes what is measured of the early stop.

`python studies/stop_rule.py RESULTS > stability/data/stop_rule.json`, where RESULTS is a results folder of
studies/early-stop.yaml, or of any study that stops only runs that diverge.
"""

from __future__ import annotations

import json
import sys

from stability.questions.early_stop.estimate import packaged_facts, stops_of
from stability.reading.frames import load

if __name__ == "__main__":
    frames = load(sys.argv[1])
    print(json.dumps(packaged_facts(frames, stops_of(frames, frames.runs)), indent=1))

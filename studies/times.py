"""Writes how long each study takes.

`python studies/times.py [RESULTS...] > studies/times.json`: what `stability validate` estimates on this
machine, and, of each of the results folders, what its `run.log` says if it was trained in one go.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from stability.gan.arithmetic.processor import processor_name
from stability.spec import load_study

STUDIES = Path(__file__).parent


def estimated(study: Path) -> dict[str, Any] | None:
    """Seconds that the plan takes here; None where the study asks for what is not there."""
    command = [sys.executable, "-m", "stability", "validate", study.name, "--json", "--allow-code"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=study.parent)
    if done.returncode:
        print(f"{study}: {done.stderr.strip()}", file=sys.stderr)
        return None
    return {"seconds": json.loads(done.stdout)["estimated_seconds"]["total"], "measured": False}


def measured(results: Path) -> dict[str, Any] | None:
    """Seconds from the first command in the log to the study's end; None where it was not one command."""
    lines = [line.split("  ", 1) for line in (results / "run.log").read_text(encoding="utf-8").splitlines()]
    runs = [place for place, (_, text) in enumerate(lines) if text.startswith("$") and " run " in text]
    ends = [place for place, (_, text) in enumerate(lines) if text == "the study is complete"]
    if len(runs) != 1 or len(ends) != 1:
        return None
    begun, ended = (datetime.fromisoformat(lines[place][0]) for place in (runs[0], ends[0]))
    return {"seconds": (ended - begun).total_seconds(), "measured": True}


def main(folders: list[str]) -> None:
    """Every study that ships, by its path from here."""
    ran = {load_study(Path(folder) / "study.yaml").name: Path(folder) for folder in folders}
    studies = {}
    for path in sorted([*STUDIES.glob("*.yaml"), *STUDIES.glob("alpha/*.yaml")]):
        name = load_study(path).name
        time = (measured(ran[name]) if name in ran else None) or estimated(path)
        studies[path.relative_to(STUDIES).with_suffix("").as_posix()] = time
    table = {"processor": processor_name(), "cores": os.cpu_count(), "studies": studies}
    print(json.dumps(table, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])

"""How long a report takes, and how much memory and page, by the number of runs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.settings import Settings
from benchmarks.table import Sample, Section

RUNS, QUICK_RUNS = (100, 1_000, 10_000), (20,)
REPEATED = 1_000
"""Up to so many runs, every round is measured; of more, one."""
MAKERS = Path(__file__).parents[1] / "tests" / "report"
MAKE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from many_runs import make_many
print(len(make_many(Path(sys.argv[2]), int(sys.argv[3]), seed=0).plan.runs))
"""
MEASURE = """
import json, sys, time
from pathlib import Path
start = time.perf_counter()
from stability.report.write import write
write([Path(sys.argv[1])], "html", Path(sys.argv[2]))
seconds = time.perf_counter() - start
from benchmarks.crews import peak_bytes
print(json.dumps([seconds, peak_bytes()]))
"""


@dataclass(frozen=True, slots=True)
class ReportCost:
    """Of one size of study."""

    runs: int
    seconds: Sample
    peak_bytes: int
    page_bytes: int


def measure_report(n_runs: int, settings: Settings, scratch: Path) -> ReportCost:
    """Make a results folder of planted runs, and write its page in processes of their own."""
    folder, page = scratch / f"many-{n_runs}", scratch / f"many-{n_runs}.html"
    made = int(_python(MAKE, str(MAKERS), str(folder), str(n_runs)))
    rounds = settings.rounds if n_runs <= REPEATED else 1
    measured = [json.loads(_python(MEASURE, str(folder), str(page))) for _ in range(rounds)]
    seconds, peaks = zip(*measured, strict=True)
    return ReportCost(made, Sample(seconds), max(peaks), page.stat().st_size)


def reports_section(settings: Settings, scratch: Path) -> Section:
    """A row a size."""
    section = Section("Report")
    section.say(
        "`stability report` on results folders of planted runs, each in a process of its own: seconds of "
        "wall clock with imports, and the process's peak memory."
    )
    rows = []
    for n_runs in settings.sized(RUNS, QUICK_RUNS):
        cost = measure_report(n_runs, settings, scratch)
        memory, page = f"{cost.peak_bytes / 1e6:,.0f}", f"{cost.page_bytes / 1e6:.1f}"
        rows.append([f"{cost.runs:,}", cost.seconds.text(1), str(len(cost.seconds.values)), memory, page])
    section.tabulate(["Runs", "Seconds", "Rounds", "Peak memory, MB", "Page, MB"], rows)
    return section


def _python(code: str, *arguments: str) -> str:
    """The last line that a program printed; raises RuntimeError with its complaint if it failed."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=MAKERS.parents[1])
    if done.returncode != 0:
        raise RuntimeError(f"measuring the report failed:\n{done.stderr}")
    return done.stdout.splitlines()[-1]

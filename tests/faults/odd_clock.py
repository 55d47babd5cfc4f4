"""Trains and reports a small study while the wall clock is set back again and again.

Usage: odd_clock.py FOLDER, with XDG_CACHE_HOME set. Trains a part, goes on a year earlier with files that are
dated in the future, then checks and reports; prints the exit codes, and how often the clock was set back.
"""

from __future__ import annotations

import datetime
import json
import os
import random
import sys
import time
import types
from pathlib import Path

HERE = Path(__file__).parent
YEAR = 365 * 24 * 3600
FUTURE = 4_102_444_800
"""The first of January 2100."""


class Clock:
    """The system's, but at every third look it has been set back by up to five hours."""

    def __init__(self) -> None:
        self.real = time.time
        self.behind, self.setbacks, self.looks = 0.0, 0, 0
        self.chance = random.Random(11)

    def time(self) -> float:
        self.looks += 1
        if self.chance.random() < 1 / 3:
            self.behind += self.chance.uniform(1, 5 * 3600)
            self.setbacks += 1
        return self.real() - self.behind

    def install(self) -> None:
        """For everything that is imported from now on, as far as it asks `time`."""
        time.time = self.time
        time.time_ns = lambda: int(self.time() * 1e9)

    def install_datetime(self) -> None:
        """For ours and Optuna's modules; compiled ones crash where `datetime` is another class."""
        clock, kind = self, datetime.datetime

        class OddDatetime(kind):
            @classmethod
            def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
                return kind.fromtimestamp(clock.time(), tz)

        odd_module = types.ModuleType("datetime")
        vars(odd_module).update(vars(datetime) | {"datetime": OddDatetime})
        for name, module in list(sys.modules.items()):
            found = vars(module).get("datetime")
            if name.partition(".")[0] in ("stability", "optuna") and found in (kind, datetime):
                module.datetime = OddDatetime if found is kind else odd_module  # type: ignore[attr-defined]


def date_in_the_future(*folders: Path) -> None:
    for path in (path for folder in folders for path in folder.rglob("*")):
        os.utime(path, (FUTURE, FUTURE))


def work(clock: Clock, folder: Path, cache: Path) -> dict[str, object]:
    sys.path.insert(0, str(HERE.parent / "runner"))
    import pytest
    from small_studies import SMALL, StopAfter, make_small, run_small, small_spec

    from stability.cli.app import main
    from stability.runner.materials import Resources

    def command(*arguments: str) -> object:
        sys.argv = ["stability", *arguments]
        try:
            main()
        except SystemExit as end:
            return end.code
        return 0

    clock.install_datetime()
    make_small(pytest.MonkeyPatch(), cache)
    study = folder.with_suffix(".yaml")
    study.write_text(SMALL)
    finished_at_once = run_small(
        small_spec(), folder, stop=StopAfter(7), resources=Resources("cpu", threads=1)
    )
    clock.behind += YEAR
    (folder / "labels").mkdir()  # a change that was killed before it was moved to its place
    (folder / "study.yaml").rename(folder / "labels" / "study.yaml")
    date_in_the_future(folder, cache)
    return {
        "finished_at_once": finished_at_once,
        "run": command("run", str(study), "--out", str(folder), "--device", "cpu"),
        "finished": command("run", str(study), "--out", str(folder), "--device", "cpu"),
        "check": command("status", str(folder), "--check"),
        "report": command("report", str(folder), "--out", str(folder.with_suffix(".html"))),
        "relabel": command("relabel", str(folder), "--set", "outcomes.persist=2"),
        "checked": command("status", str(folder), "--check"),
        "setbacks": clock.setbacks,
    }


if __name__ == "__main__":
    odd = Clock()
    odd.install()
    print(json.dumps(work(odd, Path(sys.argv[1]), Path(os.environ["XDG_CACHE_HOME"]))))

"""`python -m benchmarks`: measure, and write one Markdown file."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.cohorts import cohorts_section
from benchmarks.engines import engines_section
from benchmarks.evaluations import evaluation_section
from benchmarks.limits import Limits, limits_section, measure_limits
from benchmarks.monitors import monitor_section
from benchmarks.naive import write_mnist
from benchmarks.products import products_section
from benchmarks.reports import reports_section
from benchmarks.settings import Settings, machine
from benchmarks.shares import Shares, largest, measure_shares, shares_section
from benchmarks.steps import step_cases, steps_section
from benchmarks.studies import study_section
from benchmarks.table import Section, Shortfall, markdown_table
from benchmarks.waiting import waiting_section
from stability.runner.devices import choose_device

RESULTS = Path("benchmarks/RESULTS.md")


@dataclass
class Bench:
    """One run: what several sections need is measured once."""

    settings: Settings
    scratch: Path

    @cached_property
    def root(self) -> Path:
        """MNIST where torchvision looks for it."""
        return write_mnist(self.scratch)

    @cached_property
    def limits(self) -> Limits:
        """What the machine can do."""
        return measure_limits(self.settings)

    @cached_property
    def shares(self) -> dict[str, Shares]:
        """The profile of every training case."""
        return {case.name: measure_shares(case, self.settings) for case in step_cases(self.settings)}


SECTIONS: dict[str, Callable[[Bench], Section]] = {
    "limits": lambda bench: limits_section(bench.limits, bench.settings),
    "products": lambda bench: products_section(bench.settings),
    "steps": lambda bench: steps_section(bench.settings, bench.limits, bench.root),
    "study": lambda bench: study_section(bench.settings, bench.root, bench.scratch),
    "evaluation": lambda bench: evaluation_section(bench.settings, bench.root, bench.scratch),
    "report": lambda bench: reports_section(bench.settings, bench.scratch),
    "cohorts": lambda bench: cohorts_section(bench.settings),
    "waiting": lambda bench: waiting_section(bench.settings),
    "engines": lambda bench: engines_section(bench.settings, bench.scratch),
    "monitor": lambda bench: monitor_section(bench.settings, bench.scratch),
    "profile": lambda bench: shares_section(bench.shares),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the sections that are asked for; the file is written anew after each."""
    asked = _parser().parse_args(arguments)
    settings = Settings(str(choose_device(asked.device)), 1 if asked.quick else asked.rounds, asked.quick)
    command = ["python", "-m", "benchmarks", *(sys.argv[1:] if arguments is None else arguments)]
    done: list[Section] = []
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(settings, Path(scratch))
        for name in asked.only or SECTIONS:
            start = time.perf_counter()
            done.append(SECTIONS[name](bench))
            asked.out.write_text(document(done, bench, " ".join(command)), encoding="utf-8")
            print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
        asked.out.write_text(document([*done, below_target(done, bench)], bench, " ".join(command)), "utf-8")
    print(f"wrote {asked.out}")


def document(sections: Sequence[Section], bench: Bench, command: str) -> str:
    """The whole file."""
    facts = machine(bench.settings) | {"Device": bench.settings.device, "Command": f"`{command}`"}
    head = (
        "# Benchmarks\n\nWritten by `make bench`. Whatever is compared was measured in turn in one run, "
        f"each side in processes of its own; figures are medians of {bench.settings.rounds} rounds, lowest "
        "and highest in brackets."
    )
    table = markdown_table(["", ""], [[name, text] for name, text in facts.items()])
    return "\n\n".join([head, table, *(section.markdown().strip() for section in sections)]) + "\n"


def below_target(sections: Sequence[Section], bench: Bench) -> Section:
    """Every missed target, and where the time goes there."""
    section = Section("Below target, and why")
    missed = [shortfall for done in sections for shortfall in done.shortfalls]
    if not missed:
        section.say("Every measured target is met.")
    else:
        section.say("\n".join(f"- {_explained(shortfall, bench)}" for shortfall in missed))
    return section


def _explained(shortfall: Shortfall, bench: Bench) -> str:
    why = shortfall.why
    if shortfall.case is not None:
        why = f"the largest shares of the step are {largest(bench.shares[shortfall.case])}"
    return f"{shortfall.what}: {shortfall.value:.2f}, target {shortfall.target.text()}: {why}."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), metavar="NAME", help=", ".join(SECTIONS))
    parser.add_argument("--rounds", type=int, default=5, help="rounds of every comparison; 5 by default")
    parser.add_argument("--out", type=Path, default=RESULTS, help=f"by default {RESULTS}")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round: does everything run?")
    return parser


if __name__ == "__main__":
    main()

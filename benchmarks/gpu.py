"""`make gpu`: within nine minutes on one card, what only a GPU can show, written to one Markdown file.

The tests and the self-test on the card; a step of cohorts of 1 to 128 runs, eager, compiled and as CUDA
graphs, against the naive loop there; the part of a step that the draws of the CPU take; a study of 256 runs.
What the time does not reach is said in its place.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.cases import NEVER, NaiveTask, make_cohort
from benchmarks.crews import Crew, Job, Work, crew, in_turn, synchronised
from benchmarks.naive import write_mnist
from benchmarks.settings import Settings, machine
from benchmarks.table import Sample, Section, markdown_table
from stability.errors import StabilityError
from stability.gan.training import cohort as module
from stability.gan.training.draws import Draws
from stability.gan.training.placement import Placement
from stability.runner.devices import choose_device
from stability.spec.config import Config, Run
from stability.spec.study import Compile

RESULTS = Path("benchmarks/GPU.md")
STUDY = Path(__file__).with_name("gpu_study.yaml").resolve()
SECONDS = 540.0
LEFT_FOR_STUDY = 150.0
"""Nothing new is measured of steps once less than this is left."""
SIZES, QUICK_SIZES = (1, 8, 32, 128), (1, 2)
MODES: tuple[Compile, ...] = ("none", "kernels", "cuda-graphs")
MODE_NAMES = {"none": "eager", "kernels": "compiled", "cuda-graphs": "CUDA graphs"}
CONFIGS = (Config(architecture="mlp", width=64), Config(architecture="dcgan", width=32))
QUICK_CONFIGS = (Config(architecture="mlp", width=8, batch_size=8),)
QUICK = ("training.steps=4", "recording.evaluate_every=4", "recording.samples=64",
         "recording.final_samples=64", "design.points=2", "space.loss=[hinge]")  # fmt: skip
STEPS = 20
"""Of one round, with the optimiser and everything but records."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The time that all may take."""

    end: float

    @property
    def left(self) -> float:
        """Seconds."""
        return self.end - time.monotonic()


class FrozenDraws(Draws):
    """Gives what was drawn first again and again, from the device: a step without its draws."""

    DRAWN = ("indices", "z", "uniform", "noise", "label_noise", "label_flips", "masks", "generator_masks")

    def __init__(self, members: Sequence[Run], placement: Placement, ahead: Executor | None = None) -> None:
        super().__init__(members, placement, ahead)
        for name in self.DRAWN:
            setattr(self, name, _once(getattr(self, name)))


def _once(draw: Callable[..., Any]) -> Callable[..., Any]:
    first: dict[str, Any] = {}

    def drawn(*arguments: Any) -> Any:
        key = repr(arguments)
        if key not in first:
            first[key] = draw(*arguments)
        return first[key]

    return drawn


@contextmanager
def frozen() -> Iterator[None]:
    """Cohorts that are made in the block draw nothing after their first step."""
    name = Draws.__name__
    setattr(module, name, FrozenDraws)
    try:
        yield
    finally:
        setattr(module, name, Draws)


@dataclass(frozen=True, slots=True)
class MembersTask:
    """A cohort of one configuration: `train` trains it, `frozen` one like it that draws nothing anew."""

    config: Config
    members: int
    compile: Compile
    device: str

    def begin(self) -> Work:
        """Build both, and warm them up."""
        device = torch.device(self.device)
        configs = (self.config,) * self.members
        cohorts = {"train": make_cohort(configs, device, compile=self.compile)}
        with frozen():
            cohorts["frozen"] = make_cohort(configs, device, compile=self.compile)

        def work(action: str, count: int) -> None:
            cohort = cohorts[action]
            for _ in cohort.train(cohort.step + count, NEVER):
                pass
            synchronised(device)

        for action in cohorts:
            work(action, 3)
        return work


def members_section(settings: Settings, root: Path, stretch: Stretch) -> Section:
    """Milliseconds per member and step by size and mode beside the naive loop's, and the draws' share."""
    section = Section("Steps by members")
    section.say(
        "Milliseconds of a step (a discriminator's and a generator's update, Adam, nothing recorded) for one "
        "member of a cohort, and the naive loop's of one model on the same card over it. Draws are made "
        "member by member on the CPU, for several steps at a time and in a thread of their own, and copied; "
        "what they still cost is one minus the time of a cohort that takes the same numbers again and again "
        "over its own."
    )
    modes = MODES if settings.device.startswith("cuda") else MODES[:1]
    rows = []
    for config in settings.sized(CONFIGS, QUICK_CONFIGS):
        with crew(1) as naive:
            naive.take(NaiveTask(config, root, settings.device))
            loop = Job(naive, "train", settings.sized(STEPS, 2))
            loop.seconds()  # warm
            for mode in modes:
                for members in settings.sized(SIZES, QUICK_SIZES):
                    name = [f"{config.architecture}, width {config.width}", MODE_NAMES[mode], str(members)]
                    task = MembersTask(config, members, mode, settings.device)
                    rows.append([*name, *_cells(task, loop, settings, stretch)])
    section.tabulate(["Case", "Networks", "Members", "Naive, ms", "Ours, ms", "Ratio", "Draws, %"], rows)
    return section


def _cells(task: MembersTask, loop: Job, settings: Settings, stretch: Stretch) -> list[str]:
    if stretch.left < LEFT_FOR_STUDY:
        return ["", "no time", "", ""]
    with crew(1) as workers:
        naive, ours, still = _measured(task, loop, workers, settings)
    draws = still.over(ours).each(lambda ratio: 100 * max(0.0, 1 - ratio))
    return [naive.milliseconds(3), ours.milliseconds(3), naive.over(ours).text(), draws.text(0)]


def _measured(task: MembersTask, loop: Job, workers: Crew, settings: Settings) -> list[Sample]:
    workers.take(task)
    steps = settings.sized(STEPS, 2)
    jobs = [loop, *(Job(workers, action, steps, task.members) for action in ("train", "frozen"))]
    return in_turn(jobs, settings.rounds)


def command_section(
    title: str, command: Sequence[str], stretch: Stretch, folder: Path | None = None
) -> Section:
    """What a command says last, from the start of the process to its end."""
    section = Section(title)
    section.say(f"`{' '.join(['python', *command[1:]])}`")
    section.tabulate(["Seconds", "How it ended"], [_timed(command, stretch, folder)])
    return section


def _timed(command: Sequence[str], stretch: Stretch, folder: Path | None) -> list[str]:
    start = time.monotonic()
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=max(1.0, stretch.left)
        )
    except subprocess.TimeoutExpired:
        return [f"{time.monotonic() - start:.0f}", "no time"]
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    ending = said[-1].strip("= ").replace("|", "/") if said else "nothing said"
    return [f"{time.monotonic() - start:.0f}", ending if not done.returncode else f"failed: {ending}"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure; the file is written anew after each part."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS, help=f"by default {RESULTS}")
    parser.add_argument("--device", default="cuda", help="cuda or cuda:N")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round: does everything run?")
    asked = parser.parse_args(arguments)
    try:
        device = choose_device(asked.device)
    except StabilityError as error:
        parser.error(str(error))
    settings = Settings(str(device), 1 if asked.quick else 3, asked.quick)
    stretch = Stretch(time.monotonic() + SECONDS)
    done: list[Section] = []
    with tempfile.TemporaryDirectory() as scratch:
        for part in _parts(settings, Path(scratch), stretch):
            done.append(part())
            asked.out.write_text(document(done, settings), encoding="utf-8")
            print(f"{done[-1].title}: {SECONDS - stretch.left:.0f} s", flush=True)
    print(f"wrote {asked.out}")


def _parts(settings: Settings, scratch: Path, stretch: Stretch) -> list[Callable[[], Section]]:
    python = sys.executable
    tests = [python, "-m", "pytest", "-q", "-m", "cuda", *settings.sized((), ("--version",))]
    selftest = [python, "-m", "stability", "selftest", "--device", settings.device]
    checks = [
        lambda: command_section("Tests on the card", tests, stretch),
        lambda: command_section("Self-test on the card", selftest, stretch),
    ]
    study = [python, "-m", "stability", "run", str(STUDY), "--out", "study", "--device", settings.device]
    study += [f"--set={override}" for override in settings.sized((), QUICK)]
    return [
        *settings.sized(checks, checks[:1]),
        lambda: members_section(settings, write_mnist(scratch), stretch),
        lambda: command_section("A study of 256 runs", study, stretch, scratch),
    ]


def document(sections: Sequence[Section], settings: Settings) -> str:
    """The whole file."""
    head = (
        "# On a GPU\n\nWritten by `make gpu`. What is compared was measured in turn in one run, each side "
        f"in a process of its own; figures are medians of {settings.rounds} rounds, lowest and highest in "
        "brackets."
    )
    facts = markdown_table(["", ""], [list(fact) for fact in machine(settings).items()])
    return "\n\n".join([head, facts, *(section.markdown().strip() for section in sections)]) + "\n"


if __name__ == "__main__":
    main()

"""What a cohort's size and its number of losses cost, and which size the measurements would choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from benchmarks.cases import NEVER, CohortTask, make_cohort, table_size
from benchmarks.crews import Crew, Job, Work, crew, in_turn, synchronised
from benchmarks.settings import Settings
from benchmarks.table import Sample, Section
from stability.spec.config import Config

SIZES, QUICK_SIZES = (1, 2, 4, 8, 16, 32), (1, 2)
MEMBER_STEPS = 64
"""Of one round, at every size: as many steps as make it so."""
MEMORY_BOUND = 1e9
LOSSES = ("non-saturating", "minimax", "least-squares", "hinge", "wasserstein")
"""All that may be mixed; relativistic losses, being of pairs, are in cohorts of their own."""
CONFIGS = (
    Config(architecture="mlp", width=16),
    Config(architecture="mlp", width=64),
    Config(architecture="dcgan", width=32),
)
QUICK_CONFIGS = (Config(architecture="mlp", width=8, batch_size=8),)


@dataclass(frozen=True, slots=True)
class ManyCohortsTask:
    """Several cohorts by name; an action is a name, and trains that one."""

    cohorts: Mapping[str, tuple[Config, ...]]
    device: str

    def begin(self) -> Work:
        """Build them all, and warm them up."""
        device = torch.device(self.device)
        made = {name: make_cohort(configs, device) for name, configs in self.cohorts.items()}

        def work(action: str, count: int) -> None:
            cohort = made[action]
            for _ in cohort.train(cohort.step + count, NEVER):
                pass
            synchronised(device)

        for name in made:
            work(name, 1)
        return work


@dataclass(frozen=True, slots=True)
class SizeCosts:
    """Of one configuration, by cohort size."""

    config: Config
    seconds: Mapping[int, Sample]
    """Per step of one member."""
    peaks: Mapping[int, int]
    """Bytes."""

    def best(self, bound: float = MEMORY_BOUND) -> int:
        """The cheapest size that stays within the memory bound; the smallest where none does."""
        within = [size for size, peak in self.peaks.items() if peak <= bound] or [min(self.peaks)]
        return min(within, key=lambda size: self.seconds[size].median)

    def excess_percent(self, size: int) -> Sample:
        """What a size costs over the best one."""
        return self.seconds[size].over(self.seconds[self.best()]).each(lambda ratio: 100 * (ratio - 1))


def measure_sizes(config: Config, workers: Crew, settings: Settings) -> SizeCosts:
    """All sizes in turn in one process; the memory of each in a process of its own."""
    sizes = settings.sized(SIZES, QUICK_SIZES)
    workers.take(ManyCohortsTask({str(size): (config,) * size for size in sizes}, settings.device))
    work = settings.sized(MEMBER_STEPS, 2)
    jobs = [Job(workers, str(size), max(1, work // size), size) for size in sizes]
    seconds = dict(zip(sizes, in_turn(jobs, settings.rounds), strict=True))
    return SizeCosts(config, seconds, {size: _peak(config, size, settings) for size in sizes})


def measure_mixtures(config: Config, workers: Crew, settings: Settings) -> dict[int, Sample]:
    """Seconds per member and step of a cohort of the table's size, by its number of different losses."""
    members = table_size(config, settings.device)
    counts = range(1, min(len(LOSSES), members) + 1)
    mixed = {
        str(n): tuple(config.model_copy(update={"loss": LOSSES[k % n]}) for k in range(members))
        for n in counts
    }
    workers.take(ManyCohortsTask(mixed, settings.device))
    steps = max(1, settings.sized(MEMBER_STEPS, 2) // members)
    jobs = [Job(workers, name, steps, members) for name in mixed]
    return dict(zip(counts, in_turn(jobs, settings.rounds), strict=True))


def cohorts_section(settings: Settings) -> Section:
    """Costs by size and by number of losses, and the choice that follows."""
    configs = settings.sized(CONFIGS, QUICK_CONFIGS)
    with crew(1, settings.worker_threads) as workers:
        costs = [measure_sizes(config, workers, settings) for config in configs]
        mixtures = {_name(config): measure_mixtures(config, workers, settings) for config in configs}
    section = Section("Cohort sizes")
    section.say("Milliseconds per step of one member, by one process with one thread (on a GPU, by the GPU).")
    sizes = list(costs[0].seconds)
    rows = [[_name(cost.config), *(cost.seconds[size].milliseconds() for size in sizes)] for cost in costs]
    section.tabulate(["Case", *(f"{size} members" for size in sizes)], rows)
    section.say("Peak memory of a process that trains one such cohort and does nothing else, MB:")
    rows = [[_name(cost.config), *(f"{cost.peaks[size] / 1e6:,.0f}" for size in sizes)] for cost in costs]
    section.tabulate(["Case", *(f"{size} members" for size in sizes)], rows)
    section.say(
        f"The cheapest size within {MEMORY_BOUND / 1e9:g} GB, beside the table in "
        "`stability/design/plan.py`, which is fixed so that a study's records do not depend on a "
        "timing:"
    )
    header = ["Case", "Device", "The table says", "Measured best", "The table's choice costs more by, %"]
    section.tabulate(header, [_choice(cost, settings) for cost in costs])
    section.say(
        "Milliseconds per step of one member in cohorts of the table's size, by their number of losses:"
    )
    counts = range(1, max(map(len, mixtures.values())) + 1)
    rows = [
        [name, *(by_count[n].milliseconds() if n in by_count else "" for n in counts)]
        for name, by_count in mixtures.items()
    ]
    section.tabulate(["Case", *(f"{n} losses" if n > 1 else "1 loss" for n in counts)], rows)
    return section


def _choice(cost: SizeCosts, settings: Settings) -> list[str]:
    size = table_size(cost.config, settings.device)
    excess = cost.excess_percent(size).text(1) if size in cost.seconds else "not measured"
    return [_name(cost.config), settings.device, str(size), str(cost.best()), excess]


def _peak(config: Config, size: int, settings: Settings) -> int:
    with crew(1, settings.worker_threads) as workers:
        workers.take(CohortTask((config,) * size, settings.device))
        workers.do("recorded", settings.sized(10, 1))
        return workers.peak_bytes()


def _name(config: Config) -> str:
    return f"{config.architecture}, width {config.width}"

"""What can be done about a fault: its part is moved out of the way, sealed, or written anew.

Nothing is deleted but what was never finished. Imports spec and the store's parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from stability.errors import StabilityError
from stability.spec.loader import dump_study
from stability.store.files import replace_file
from stability.store.folder import ENVIRONMENT, PLAN, with_study_digest
from stability.store.repair.examine import Fault, Remedy
from stability.store.repair.quarantine import move_aside
from stability.store.repair.unsealed import unsealed_study
from stability.store.seals import DIGESTS, encode_digests, seal_text, sha256
from stability.store.store import Store

CLEARED = {Remedy.REMOVE: "removed", Remedy.SETTLE: "moved to their places"}
"""What the lock itself does about a fault."""


def cleared(before: Iterable[Fault], now: Iterable[Fault]) -> list[str]:
    """What taking the lock has settled and cleared up, a line each."""
    left = {fault.file for fault in now}
    gone = (fault for fault in before if fault.file not in left)
    return [f"{fault.file}: {CLEARED[fault.remedy]}" for fault in gone if fault.remedy in CLEARED]


def mend(store: Store, faults: Iterable[Fault]) -> list[str]:
    """Repair what can be, each part once; return what was done, a line each. The caller holds the lock.

    Raises `StabilityError`: something cannot be moved or written.
    """
    parts = dict.fromkeys((fault.part or fault.file, fault.remedy) for fault in faults)
    return [MENDERS[remedy](store, place) for place, remedy in parts if remedy in MENDERS]


def _move(store: Store, place: str) -> str:
    return move_aside(store.folder, store.folder / place)


def _remove(store: Store, place: str) -> str:
    (store.folder / place).unlink(missing_ok=True)
    return f"{place}: removed"


def _renew_environment(store: Store, place: str) -> str:
    """An environment that says that it was lost; the next run adds what it finds."""
    path = store.folder / place
    moved = f"{move_aside(store.folder, path)}; " if path.exists() else ""
    planned = {
        "device": store.plan.device,
        "threads": store.plan.threads,
        "stop_thresholds": store.plan.stop_thresholds.model_dump(),
    }
    environment = {"lost": "what the study was started with", "planned": planned}
    with suppress(StabilityError):
        environment = with_study_digest(environment, store.study_yaml)
    store.replace_environment(environment)
    return f"{moved}wrote {place} anew without what was lost"


def _adopt_study(store: Store, place: str) -> str:
    spec = unsealed_study(store)
    if spec is None:  # changed since it was looked at
        return f"{place}: left as it is"
    replace_file(store.folder / place, seal_text(dump_study(spec)))
    return f"sealed {place}"


def _seal(store: Store, place: str) -> str:
    if place == PLAN:
        store.replace_plan(store.plan)
        return f"sealed {place}"
    if place == ENVIRONMENT:
        store.replace_environment(store.environment)
        return f"sealed {place}"
    return _seal_cohort(store, place)


def _seal_cohort(store: Store, place: str) -> str:
    folder = store.folder / place
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != DIGESTS]
    digests = {path.relative_to(folder).as_posix(): sha256(path.read_bytes()) for path in files}
    moved = move_aside(store.folder, folder / DIGESTS)
    replace_file(folder / DIGESTS, encode_digests(digests))
    return f"{moved}; wrote {place}/{DIGESTS} anew"


MENDERS: dict[Remedy, Callable[[Store, str], str]] = {
    Remedy.ASIDE: _move,
    Remedy.REMOVE: _remove,
    Remedy.RENEW: _renew_environment,
    Remedy.SEAL: _seal,
    Remedy.ADOPT: _adopt_study,
}

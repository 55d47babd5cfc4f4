"""What is told of a run while it trains: events once they have lasted, a divergence at once.

An event is told when it has lasted `persist` visits, by the rules that label a run in the end. Two are told
of many a healthy young run: a discriminator that is far ahead, and modes that are still missing. These are
news, and no alarm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from stability.outcomes import label
from stability.records import Divergence, Event, EventKind, History, Outcome
from stability.spec import Thresholds

WORDS: Mapping[EventKind, str] = MappingProxyType({kind: str(kind).replace("_", " ") for kind in EventKind})
ALARMS = frozenset({EventKind.SATURATION, EventKind.EXPLOSION, EventKind.LATENT_IGNORED})
"""Alarms whatever came before; a collapse is one after a run was good, or to nearly one image for every z."""


@dataclass(frozen=True, slots=True)
class Item:
    """Something to be told."""

    what: Event | Divergence
    words: str
    alarm: bool
    over: bool = False


@dataclass(slots=True)
class News:
    """What has been told of a run so far."""

    thresholds: Thresholds
    _open: dict[EventKind, int] = field(default_factory=dict)
    """Kinds of events that have been told and are not over, and since when."""
    _told: set[tuple[EventKind, int]] = field(default_factory=set)
    _diverged: bool = False

    def of(self, history: History) -> Iterator[Item]:
        """What is new, given everything that is known of the run."""
        found = label(history, self.thresholds, horizon=max(1, history.last_step))
        yield from self._divergence(found.divergence)
        yield from self._ends(found.events)
        for event in found.events:
            if not event.provisional and event.kind not in self._open and self._is_new(event):
                yield self._item(event, found.outcome)

    def _divergence(self, where: Divergence | None) -> Iterator[Item]:
        if where is not None and not self._diverged:
            self._diverged = True
            yield Item(where, f"diverged: {where.tensor} is not finite at step {where.step:,}", alarm=True)

    def _ends(self, events: Sequence[Event]) -> Iterator[Item]:
        """Of what had been told, what stands no longer; an event that rules have taken back says nothing."""
        standing = {event.kind for event in events if event.recovery is None}
        ended = {kind: onset for kind, onset in self._open.items() if kind not in standing}
        for kind in ended:
            del self._open[kind]
        for event in events:
            if event.recovery is not None and ended.get(event.kind) == event.onset:
                words = f"{WORDS[event.kind]} of step {event.onset:,} was over at step {event.recovery:,}"
                yield Item(event, words, alarm=False, over=True)

    def _is_new(self, event: Event) -> bool:
        key = event.kind, event.onset
        new = key not in self._told
        self._told.add(key)
        if new and event.recovery is None:
            self._open[event.kind] = event.onset
        return new

    def _item(self, event: Event, outcome: Outcome) -> Item:
        lost = event.kind is EventKind.COLLAPSE and (not event.never_good or outcome is Outcome.COLLAPSED)
        lasting = event.recovery is None
        words = f"{WORDS[event.kind]} since step {event.onset:,}: {event.evidence}"
        if not lasting:
            words = f"{WORDS[event.kind]} from step {event.onset:,} to {event.recovery:,}: {event.evidence}"
        return Item(event, words, alarm=lasting and (lost or event.kind in ALARMS))

"""Pure rules from a run's history to its events and its one outcome.

Labelling after the run, relabelling with other thresholds and stopping a run online share these rules.
Imports only numpy, `records` and `spec`.
"""

from stability.outcomes.event_rules import events
from stability.outcomes.labels import label, stop_reason

__all__ = ["events", "label", "stop_reason"]

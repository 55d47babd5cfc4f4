"""The diagnostics, events and outcome of a run for training loops that are not ours: `stability.Monitor`."""

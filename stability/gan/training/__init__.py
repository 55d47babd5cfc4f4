"""The cohort that trains: what it draws, its stacked networks, optimisers, penalties and diagnostics."""

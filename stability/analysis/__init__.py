"""Stored studies -> tidy frames -> estimates. Never imports torch, Optuna or the engine."""

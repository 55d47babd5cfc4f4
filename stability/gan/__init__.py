"""Data, networks, losses, the cohort engine, diagnostics, evaluation and the classifier.

Knows no store, no design, no Optuna: it is handed runs and yields records and evaluations.
"""

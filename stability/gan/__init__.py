"""Data, networks, losses, the cohort engine, diagnostics, evaluation and the classifier.

Knows no store, no design, no Optuna: it is handed runs and yields records and evaluations. Code of a user's
own imports from `stability.gan.data`, `stability.gan.losses` and `stability.gan.networks`.
"""

"""Train many small GANs, label how each one ends, and say which hyperparameters are safe.

Layers, imports go down only: cli > report > analysis > runner > design > gan > store > outcomes >
records > spec. `analysis` and `report` work without torch; `gan` knows no files and no Optuna.
"""

__version__ = "0.1.0"

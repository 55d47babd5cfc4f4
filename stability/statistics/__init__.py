"""Estimators: arrays or frames in, estimates with their intervals out. They know no study."""

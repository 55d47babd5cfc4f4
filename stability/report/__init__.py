"""A study's records as one offline HTML page. Imports neither torch nor Optuna."""

from stability.report.page import write_report

__all__ = ["write_report"]

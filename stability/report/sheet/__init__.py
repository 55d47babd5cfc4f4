"""Blinded sheets: what single runs looked like, without what was said of them, for people to judge by eye."""

from stability.report.sheet.write import Plan, write_sheet

__all__ = ["Plan", "write_sheet"]

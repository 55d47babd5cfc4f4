"""Vendor, products and sums: arithmetic that gives a member the same numbers in any cohort."""

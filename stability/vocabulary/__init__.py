"""The words of the field as literal tables, without torch: of losses, and of what makes a structure."""

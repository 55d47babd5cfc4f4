"""The words of the field as literal tables, without torch: of losses, structures and what is measured."""

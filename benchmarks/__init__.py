"""How fast studies are, beside the loops that people write and beside what the machine can do."""

"""How fast things are, beside what one would otherwise use."""

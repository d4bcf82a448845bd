"""A running cluster, or what was saved of one, to a snapshot; it only reads."""

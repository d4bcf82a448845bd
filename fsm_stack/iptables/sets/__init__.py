"""Sets of traffic, exact: which packets have which fate."""

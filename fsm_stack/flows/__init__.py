"""Flow logs over rules: replay, evidence for entries, the smallest lists that keep traffic."""

"""Flow logs over rules: replay, evidence for every entry, the smallest lists that keep what is seen."""

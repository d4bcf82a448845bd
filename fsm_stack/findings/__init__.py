"""What may be wrong, as values: a finding with its place, and the texts of every id by topic."""

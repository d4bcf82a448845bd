"""Everything a user may set, as frozen and strict models, and the one way to load it."""

"""The faithful port of the three injectors: decide, merge, mutate."""

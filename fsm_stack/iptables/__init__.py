"""Redirection rules as values: generated, written, read, linted, simulated, compared."""

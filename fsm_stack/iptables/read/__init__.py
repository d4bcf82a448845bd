"""Texts that hold rules, read into rule sets."""

"""Verbs about a change, and about all stacks at once."""

"""Verbs that bring a mesh into a project, and out of it again."""

"""Manifests of workloads: read, previewed, edited, linted."""

"""Verbs about manifests of workloads."""

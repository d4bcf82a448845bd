"""YAML and JSON text: read with places, within bounds; written deterministically."""

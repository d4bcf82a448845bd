"""Other descriptions of a mesh to settings, and settings to other descriptions."""

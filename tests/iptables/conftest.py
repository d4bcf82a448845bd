from __future__ import annotations

from hypothesis import settings

# A busy machine is no fault of a law.
settings.register_profile("patient", parent=settings(), deadline=None)
settings.load_profile("patient")

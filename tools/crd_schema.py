"""Write the MeshConfig CRD's schema of ``spec`` from the settings' models."""

from __future__ import annotations

import json
from pathlib import Path

from fsm_stack.manifests.crd import spec_schema

FILE = Path(__file__).parent.parent / "templates" / "crd" / "meshconfig.spec.json"

if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(
        json.dumps(spec_schema(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )

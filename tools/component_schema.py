"""Write the schema of the component anew: ``python tools/component_schema.py``.

The engine's SDK infers it from ``fsm_stack/pulumi/component.py``; a test compares the two.
"""

import json
from pathlib import Path

from fsm_stack.pulumi.component import StackProvider

SCHEMA = Path(__file__).parents[1] / "schemas/component.schema.json"


def main() -> None:
    """Write it, as long as it is."""
    schema = json.loads(StackProvider().schema or "")
    SCHEMA.write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

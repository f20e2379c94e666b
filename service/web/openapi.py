"""Writes schemas/openapi.json from the code, or checks that it is current: `python -m service.web.openapi [--check]`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import cast

from service.application.tracking import Reading
from service.metrics import Metrics
from service.web.app import create_app

_FILE = Path(__file__).parents[2] / "schemas" / "openapi.json"


def document() -> str:
    """The OpenAPI document of the API, as the file has it."""
    # Nothing is asked of a store to describe the API.
    app = create_app(cast("Reading", None), Metrics())
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write the file, or with --check compare it; 1 if it differs."""
    current = document()
    if arguments == ["--check"]:
        if _FILE.exists() and _FILE.read_text(encoding="utf-8") == current:
            return 0
        sys.stderr.write("schemas/openapi.json is not what the code says: run python -m service.web.openapi\n")
        return 1
    _FILE.parent.mkdir(exist_ok=True)
    _FILE.write_text(current, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What people look up, made from the code: the API, the metrics, the settings.

python -m tests.checks.reference --write    writes schemas/openapi.json, deploy/docs/metrics.md, deploy/docs/settings.md
                                           and the table in deploy/docs/carriers.md
python -m tests.checks.reference --check    fails where one of them is not what the code says
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final, cast

from service import config, metrics
from service.web.app import Store, create_app
from tests.checks import carriers

ROOT: Final = Path(__file__).parents[2]
_SETTINGS: Final = """\
# Settings

Environment variables, read once at the start of a process; an empty one counts as not set. `returns-status settings`
prints this table.

"""


def generated() -> dict[Path, str]:
    """The text of each file, by its path in the checkout."""
    return {
        Path("schemas/openapi.json"): openapi(),
        Path("deploy/docs/metrics.md"): metrics.reference(),
        Path("deploy/docs/settings.md"): f"{_SETTINGS}{config.reference()}\n",
        carriers.PATH: carriers.document(ROOT),
    }


def openapi() -> str:
    """The OpenAPI document of the API."""
    # Nothing is asked of a store to describe the API.
    app = create_app(cast("Store", None), metrics.Metrics())
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


def drift(root: Path) -> list[str]:
    """A line for each file that is not what the code says."""
    return [
        f"{name}: not what the code says; run python -m tests.checks.reference --write"
        for name, text in generated().items()
        if not (root / name).exists() or (root / name).read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """The command line; answers with the exit status."""
    if arguments == ["--write"]:
        for name, text in generated().items():
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / name).write_text(text, encoding="utf-8")
        return 0
    if arguments != ["--check"]:
        print(__doc__, file=sys.stderr)
        return 2
    found = drift(ROOT)
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Keeps schemas/ in step with the models, and compatible with what was published.

python -m tests.checks.schemas --check     is everything in step and compatible? (exit 1 if not)
python -m tests.checks.schemas --write     write the schemas and the AsyncAPI document
python -m tests.checks.schemas --publish   freeze the schemas as they are now; refused if they break anyone
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from tests.checks.asyncapi import document
from tests.checks.compatibility import Relying, breaks
from tests.checks.json_schemas import input_schemas, output_schemas
from tests.checks.yaml_text import to_yaml

FOLDER: Final = Path(__file__).resolve().parents[2] / "schemas"


def generated() -> dict[Path, str]:
    """Every generated file's text, by its path below schemas/."""
    schemas = input_schemas() | output_schemas()
    files = {Path(f"{event_type}.json"): _text(schema) for event_type, schema in schemas.items()}
    files[Path("asyncapi.yaml")] = "# Generated: python -m tests.checks.schemas --write\n" + to_yaml(
        document(schemas, _examples(schemas))
    )
    return files


def drift(folder: Path) -> list[str]:
    """Files in `folder` that are not what would be generated now."""
    wanted = generated()
    stray = [path.name for path in folder.glob("com.*.json") if Path(path.name) not in wanted]
    stale = [str(name) for name, text in wanted.items() if _read(folder / name) != text]
    return [f"schemas/{name}: no model makes this" for name in stray] + [
        f"schemas/{name}: not what the models say; run python -m tests.checks.schemas --write" for name in stale
    ]


def incompatibilities(folder: Path) -> list[str]:
    """What breaks publishers or subscribers who rely on the schemas that were published."""
    inputs, outputs = input_schemas(), output_schemas()
    found: list[str] = []
    for file in sorted((folder / "published").glob("*.json")):
        event_type = file.name.removesuffix(".json")
        old = json.loads(file.read_text(encoding="utf-8"))
        if event_type in inputs:
            complaints = breaks(old, inputs[event_type], Relying.PUBLISHERS)
        elif event_type in outputs:
            complaints = breaks(old, outputs[event_type], Relying.SUBSCRIBERS)
        else:
            complaints = ["the type is gone"]
        found += [f"{event_type}: {complaint}" for complaint in complaints]
    frozen = {file.name for file in (folder / "published").glob("*.json")}
    unpublished = sorted(name for name in (f"{t}.json" for t in inputs | outputs) if name not in frozen)
    return found + [
        f"schemas/published/{name}: missing; run python -m tests.checks.schemas --publish" for name in unpublished
    ]


def _examples(schemas: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    folder = FOLDER / "examples" / "valid"
    return {t: json.loads((folder / t / "full.json").read_text(encoding="utf-8")) for t in schemas}


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _write(files: dict[Path, str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def main(arguments: list[str]) -> int:
    """The command line; answers with the exit status."""
    if arguments == ["--write"]:
        _write(generated(), FOLDER)
        return 0
    if arguments == ["--publish"]:
        complaints = [c for c in incompatibilities(FOLDER) if "--publish" not in c]
        if not complaints:
            schemas = {name: text for name, text in generated().items() if name.suffix == ".json"}
            _write(schemas, FOLDER / "published")
    elif arguments == ["--check"]:
        complaints = drift(FOLDER) + incompatibilities(FOLDER)
    else:
        print(__doc__, file=sys.stderr)
        return 2
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Keeps what is derived from pyproject.toml true: uv.lock, and requirements.txt and uv.txt for machines without uv.

`python -m deploy.local.lock` writes them (make lock), `--check` fails when one of them is stale (make check).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
PLACES = (CHECKOUT / ".venv" / "bin", CHECKOUT / ".local" / "uv" / "bin", os.environ.get("PATH", ""))
UV = shutil.which("uv", path=os.pathsep.join(map(str, PLACES)))
# The lock says where files may come from; a machine's own extra places are no part of it.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.endswith("FIND_LINKS")}


def uv(*arguments: str, stdin: str | None = None) -> str:
    """Run uv in the checkout; its output. Exits with uv's own words when it fails."""
    if UV is None:
        sys.exit("lock: there is no uv: run `make venv`")
    done = subprocess.run(
        [UV, *arguments], cwd=CHECKOUT, env=ENVIRONMENT, input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"lock: uv {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def requirements() -> str:
    """Every package of the lock with its hashes, for pip."""
    return uv(
        "export", "--locked", "--quiet", "--all-groups", "--no-emit-project", "--no-header", "--no-annotate",
        "--format", "requirements-txt",
    )  # fmt: skip


def own_uv() -> str:
    """The locked uv alone, with its hashes, to begin with where there is none."""
    packages = tomllib.loads((CHECKOUT / "uv.lock").read_text())["package"]
    version = next(package["version"] for package in packages if package["name"] == "uv")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "uv.txt"
        shape = ("--generate-hashes", "--no-header", "--no-annotate", "--universal", "--quiet")
        uv("pip", "compile", "-", "--output-file", str(output), *shape, stdin=f"uv=={version}\n")
        return output.read_text()


def main(arguments: list[str]) -> int:
    """Write or check; 1 when a checked file is stale."""
    check = arguments == ["--check"]
    uv("lock", "--quiet", *(["--check"] if check else []))
    stale = []
    for name, make in (("requirements.txt", requirements), ("uv.txt", own_uv)):
        text = make()
        if (HERE / name).read_text() != text:
            stale.append(name)
            if not check:
                (HERE / name).write_text(text)
    if check and stale:
        print(f"lock: stale: {', '.join(stale)}; run `make lock`", file=sys.stderr)
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

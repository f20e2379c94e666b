#!/usr/bin/env bash
# Makes .venv from uv.lock. Brings its own uv where there is none, and falls back to venv and pip, hashes checked
# either way. Safe to run again and by two shells at once.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly here=deploy/local
readonly stamp=.venv/.ready
# Compiled once, here: where Python may not write what it compiles, each start of a command would take twice as long.
export UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# The machine's own list of certificates: behind a company's proxy no other will do.
if [[ -d /etc/ssl/certs ]]; then export UV_SYSTEM_CERTS=${UV_SYSTEM_CERTS:-true}; fi
# A machine's extra places to look for packages are no part of the lock.
unset PIP_FIND_LINKS UV_FIND_LINKS VIRTUAL_ENV

say() { printf 'venv: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1; }

find_python() {
    local candidate
    # That of an existing .venv stays, unless another is named.
    for candidate in ${PYTHON:-} .venv/bin/python python3 python3.13 python3.12 python3.11; do
        if supported "$candidate"; then
            # The interpreter itself, not a version manager's shim that changes with the folder.
            "$candidate" -c 'import sys; print(sys._base_executable)'
            return
        fi
    done
    return 1
}

fresh() {
    [[ -x .venv/bin/python && -e $stamp ]] || return 1
    local input
    for input in pyproject.toml uv.lock "$here/venv.sh" "$here/uv.txt"; do
        [[ ! $input -nt $stamp ]] || return 1
    done
}

# Prints the uv to use: the one on PATH, or the pinned one kept under .local/uv.
own_uv() {
    local dir=.local/uv
    if [[ ! -x $dir/bin/uv ]] || [[ $here/uv.txt -nt $dir/bin/uv ]]; then
        say "bringing uv"
        rm -rf "$dir"
        if "$python" -m venv "$dir" >/dev/null 2>&1; then
            "$dir/bin/python" -m pip install --quiet --require-hashes -r "$here/uv.txt" >&2 || return 1
        else
            rm -rf "$dir"
            "$python" -m pip install --quiet --require-hashes --target "$dir" -r "$here/uv.txt" >&2 || return 1
        fi
        touch "$dir/bin/uv"
    fi
    printf '%s\n' "$dir/bin/uv"
}

sync_with() { "$1" sync --quiet --locked --python "$python"; }

with_pip() {
    say "it does not work with uv; trying venv and pip"
    "$python" -m venv --clear .venv >/dev/null 2>&1 ||
        die "Python's venv module is missing: install it (Debian, Ubuntu: apt-get install python3-venv) or put uv on PATH"
    .venv/bin/python -m pip install --quiet --require-hashes -r "$here/requirements.txt" &&
        .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable . ||
        die "the packages could not be installed: is a package index reachable?"
}

mkdir -p .local
exec 9>.local/venv.lock
if command -v flock >/dev/null; then flock 9; fi
if fresh; then exit 0; fi

python=$(find_python) || die "Python 3.11, 3.12 or 3.13 is needed and none was found: install one, or name it: make PYTHON=/path/to/python3 venv"
if [[ ! -w ${HOME:-/nonexistent} ]]; then export UV_CACHE_DIR=$PWD/.local/cache/uv; fi

say "making .venv with $("$python" --version) (the first time takes a minute)"
if command -v uv >/dev/null && sync_with uv 2>/dev/null; then
    : # a uv that is too old, or has settings of its own, gets no second word
elif uv=$(own_uv); then
    if ! sync_with "$uv"; then
        "$uv" lock --check --quiet 2>/dev/null || die "uv.lock does not follow from pyproject.toml: run \`make lock\`"
        with_pip
    fi
else
    with_pip
fi
touch "$stamp"
say "ready"

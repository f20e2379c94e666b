"""`python -m tests.benchmarks.posting PORT FILE SECONDS CONNECTIONS`: requests that are ready, one after another, for ever.

FILE is a JSON array of whole requests. Anything but 200 ends it.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

from tests.benchmarks.load import load

if __name__ == "__main__":
    port, file, seconds, connections = sys.argv[1:]
    requests = [request.encode() for request in json.loads(Path(file).read_text())]
    print(json.dumps(load(int(port), itertools.cycle(requests), float(seconds), int(connections))))

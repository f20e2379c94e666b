"""`python -m service COMMAND`, or `returns-status COMMAND`: see `service.cli.app`."""

from __future__ import annotations

from service.cli.app import main

if __name__ == "__main__":
    main()

"""What a command's exit status says to whoever called it; the help of the command line says it too."""

from __future__ import annotations

from typing import Final

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2  # of the command line, or of the settings

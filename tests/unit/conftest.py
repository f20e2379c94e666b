"""How many examples hypothesis makes up: 100 of most things, and 40 where somebody waits for the answer (`make unit`)."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("quick", settings(), max_examples=40)

"""How many examples hypothesis makes up: 100 of most things, and 15 where somebody waits for the answer (`make unit`).

For `make mutants` always the same ones, and nobody reads which of them failed, so that none is made smaller.
"""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings

# That a machine is busy says nothing of the code.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("patient", _PATIENT)
settings.register_profile("quick", _PATIENT, max_examples=15)
settings.register_profile(
    "mutants", _PATIENT, max_examples=15, phases=(Phase.explicit, Phase.generate), database=None, derandomize=True
)
settings.load_profile("patient")

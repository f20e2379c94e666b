"""Which countries there are: the codes of two letters that ISO 3166-1 has assigned."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import Field

# By their first letters.
_ASSIGNED: Final = (
    r"A[DEFGILMOQRSTUWXZ]|B[ABDEFGHIJLMNOQRSTVWYZ]|C[ACDFGHIKLMNORUVWXYZ]|D[EJKMOZ]|E[CEGHRST]"
    r"|F[IJKMOR]|G[ABDEFGHILMNPQRSTUWY]|H[KMNRTU]|I[DELMNOQRST]|J[EMOP]|K[EGHIMNPRWYZ]|L[ABCIKRSTUVY]"
    r"|M[ACDEFGHKLMNOPQRSTUVWXYZ]|N[ACEFGILOPRUZ]|OM|P[AEFGHKLMNRSTWY]|QA|R[EOSUW]"
    r"|S[ABCDEGHIJKLMNORSTVXYZ]|T[CDFGHJKLMNORTVWZ]|U[AGMSYZ]|V[ACEGINU]|W[FS]|Y[ET]|Z[AMW]"
)
is_country: Final = re.compile(_ASSIGNED).fullmatch


COUNTRY_PATTERN: Final = f"^(?:{_ASSIGNED})$"
# What the schemas of events say, which do not change with the list.
_LOOKS: Final[dict[str, Any]] = {"pattern": "^[A-Z]{2}$"}

Country = Annotated[str, Field(pattern=COUNTRY_PATTERN, description="ISO 3166-1 alpha-2", json_schema_extra=_LOOKS)]

Assigned = Annotated[str, Field(pattern=COUNTRY_PATTERN, description="ISO 3166-1 alpha-2")]
"""The same where one that there is not is refused: what a schema allows is taken."""

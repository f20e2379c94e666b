"""Which countries there are: the codes of two letters that ISO 3166-1 has assigned."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

COUNTRY_PATTERN: Final = r"^[A-Z]{2}$"
# By their first letters.
_ASSIGNED: Final = (
    r"A[DEFGILMOQRSTUWXZ]|B[ABDEFGHIJLMNOQRSTVWYZ]|C[ACDFGHIKLMNORUVWXYZ]|D[EJKMOZ]|E[CEGHRST]"
    r"|F[IJKMOR]|G[ABDEFGHILMNPQRSTUWY]|H[KMNRTU]|I[DELMNOQRST]|J[EMOP]|K[EGHIMNPRWYZ]|L[ABCIKRSTUVY]"
    r"|M[ACDEFGHKLMNOPQRSTUVWXYZ]|N[ACEFGILOPRUZ]|OM|P[AEFGHKLMNRSTWY]|QA|R[EOSUW]"
    r"|S[ABCDEGHIJKLMNORSTVXYZ]|T[CDFGHJKLMNORTVWZ]|U[AGMSYZ]|V[ACEGINU]|W[FS]|Y[ET]|Z[AMW]"
)
is_country: Final = re.compile(_ASSIGNED).fullmatch


def existing(code: str) -> str:
    """The code, if it is a country's; for models, whose schemas say how such a code looks."""
    if is_country(code) is None:
        raise PydanticCustomError("no_such_country", "an ISO 3166-1 alpha-2 country code is expected")
    return code


Country = Annotated[str, Field(pattern=COUNTRY_PATTERN, description="ISO 3166-1 alpha-2"), AfterValidator(existing)]

Assigned = Annotated[Country, Field(json_schema_extra={"pattern": f"^(?:{_ASSIGNED})$"})]
"""The same where one that there is not is refused: what a schema allows is taken."""

"""What is said of exceptions over HTTP by who has seen them, for OpenAPI."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from service.application.commands.acknowledging import LONGEST_NOTE, NOTE_PATTERN
from service.web.api.models import Answer


class Seen(Answer):
    """Somebody has seen an exception, which hides it until it changes."""

    at: AwareDatetime
    by: str | None = Field(description="Whose token it was, by its label. null for a token that is bound to hubs.")
    note: str | None = Field(description="null likewise: it may be personal.")


class Note(BaseModel):
    """What somebody says of an exception that they have seen."""

    model_config = ConfigDict(
        extra="forbid",
        str_strip_whitespace=True,
        json_schema_extra={"examples": [{"note": "The hub is looking for it."}]},
    )

    note: str = Field(
        min_length=1,
        max_length=LONGEST_NOTE,
        pattern=NOTE_PATTERN,
        description="For people. It may be personal: it is shown with the exception, and kept out of logs and the audit log.",
    )


class Acknowledged(Answer):
    """An exception that is hidden until it changes."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "exception_id": "return/R-1001/unknown_code",
                    "state": "acknowledged",
                    "acknowledged": {
                        "at": "2026-11-20T10:02:00.5Z",
                        "by": "J. Doe",
                        "note": "The hub is looking for it.",
                    },
                }
            ]
        }
    )

    exception_id: str
    state: Literal["acknowledged"]
    acknowledged: Seen

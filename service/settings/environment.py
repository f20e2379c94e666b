"""Settings as variables of the environment: by name, or a secret by the name of the file that holds it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from service.errors import SettingsError

PREFIX: Final = "RETURNS_"
_FILE: Final = "_FILE"
_NOT_OURS: Final = f"{PREFIX}TEST_"  # those of the test suite
_ALIKE: Final = 0.85  # what is less so is something else
_MOST_BYTES: Final = 64 * 1024  # of a secret


class FromEnvironment(PydanticBaseSettingsSource):
    """The variables of a given mapping, unparsed: every setting is a single value.

    For a secret, RETURNS_NAME_FILE may stand in the place of RETURNS_NAME. Raises SettingsError where that file is of no use.
    """

    def __init__(self, settings: type[BaseSettings], environment: Mapping[str, str]) -> None:
        super().__init__(settings)
        self._environment = environment

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        del field
        return self._environment.get(variable(field_name)), field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {name: self._environment.get(variable(name)) for name in self.settings_cls.model_fields}
        for name in secrets(self.settings_cls):
            file = self._environment.get(variable(name) + _FILE)
            if file and values[name]:
                raise SettingsError(f"{variable(name)}, {variable(name)}{_FILE}: only one of them may be set")
            if file:
                values[name] = _secret_in(Path(file), variable(name) + _FILE)
        # An empty variable is how shells and compose files say "not set".
        return {name: value for name, value in values.items() if value}


def variable(name: str) -> str:
    """The variable that a setting is read from."""
    return PREFIX + name.upper()


def secrets(settings: type[BaseSettings]) -> Iterator[str]:
    """The names of the settings that are secrets."""
    for name, field in settings.model_fields.items():
        if SecretStr in (field.annotation, *get_args(field.annotation)):
            yield name


def unknown(settings: type[BaseSettings], environment: Mapping[str, str]) -> dict[str, str | None]:
    """Variables that look like settings and are none, each with the one that was perhaps meant."""
    known = [variable(name) for name in settings.model_fields]
    known += [variable(name) + _FILE for name in secrets(settings)]
    strange = [name for name in environment if name.startswith(PREFIX) and not name.startswith(_NOT_OURS)]
    return {
        name: next(iter(get_close_matches(name, known, 1, _ALIKE)), None)
        for name in sorted(strange)
        if name not in known
    }


def _secret_in(file: Path, name: str) -> str:
    """What the file holds, without the line feed at its end."""
    try:
        with file.open("rb") as opened:
            content = opened.read(_MOST_BYTES + 1)
        secret = content.decode().rstrip("\r\n")
    except OSError as error:
        raise SettingsError(f"{name}: the file cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{name}: the file holds no text") from None
    if not secret or len(content) > _MOST_BYTES:
        raise SettingsError(f"{name}: the file is {'empty' if not secret else 'too long for a secret'}")
    return secret

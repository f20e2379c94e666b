"""The commands `token create`, `token list` and `token revoke`."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from service.cli.command_output import show
from service.cli.start import load_settings
from service.errors import Fatal

if TYPE_CHECKING:
    from service.adapters.postgres.access.tokens import Token
    from service.application.access.bounds import Bounds

_MINUTE: Final = "%Y-%m-%d %H:%M"

token_app = typer.Typer(help="Tokens for the HTTP API.", no_args_is_help=True, rich_markup_mode=None)


_Retailers = Annotated[
    list[str] | None, typer.Option("--retailer", help="See and say nothing but this retailer's; may be given again.")
]
_Carriers = Annotated[
    list[str] | None, typer.Option("--carrier", help="See and say nothing but this carrier's; may be given again.")
]
_Hubs = Annotated[
    list[str] | None,
    typer.Option("--hub", help="Say nothing but this hub's, and see no personal data; may be given again."),
]
_Rate = Annotated[
    int | None, typer.Option(help="Requests a minute. By default RETURNS_TOKEN_RATE.", min=1, max=10_000_000)
]


@token_app.command("create")
def token_create(
    scopes: Annotated[
        str, typer.Option(help="What the token allows, separated by commas: read, create, scan, hub, ops.")
    ],
    label: Annotated[str, typer.Option(help="Whom or what it is for, to know it again.")] = "",
    publisher: Annotated[
        str, typer.Option(help="In whose name it sends events: the same for every token of one. By default the label.")
    ] = "",
    retailer: _Retailers = None,
    carrier: _Carriers = None,
    hub: _Hubs = None,
    expires: Annotated[str, typer.Option(help="After how long it ends: 90d, 12h, 30m. By default never.")] = "",
    rate: _Rate = None,
) -> None:
    """Make an API token and print it, alone, on standard output. It cannot be shown again: only its hash is stored.

    Two examples:

    \b
        TOKEN=$(returns-status token create --scopes read,ops --label "customer service")
        TOKEN=$(returns-status token create --scopes scan --publisher nzpost --carrier nzpost --expires 90d)
    """  # noqa: D301 - the command line needs the character
    from service.adapters.postgres.access import tokens
    from service.adapters.postgres.database import connect
    from service.application.access.bounds import Bounds
    from service.application.access.scopes import parse_scopes
    from service.application.commands.accepting import is_reserved, publisher_name

    try:
        wanted = parse_scopes(scopes)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--scopes") from None
    name = publisher_name(publisher or label)
    if publisher and name != publisher:
        raise typer.BadParameter("a name is 1 to 40 small letters, digits and dashes", param_hint="--publisher")
    if is_reserved(name):
        raise typer.BadParameter(f"{name} is a name that the service speaks under itself", param_hint="--publisher")
    bounds = Bounds(*(_slugs(option, names) for option, names in _bounds(retailer, carrier, hub)))
    new = tokens.NewToken(wanted, label, name, bounds, _duration(expires), rate)
    url = load_settings("token", libraries=False, with_database=True).database_url.get_secret_value()
    with connect(url, "returns-token") as connection:
        show(tokens.make_token(connection, new))


@token_app.command("list")
def token_list() -> None:
    """Print what tokens there are: number, scopes, when made, whether valid, last use, bounds and rate, publisher, label."""
    from service.adapters.postgres.access import tokens
    from service.adapters.postgres.database import connect

    url = load_settings("token", libraries=False, with_database=True).database_url.get_secret_value()
    with connect(url, "returns-token", writes=False) as connection:
        for token in tokens.list_tokens(connection):
            show(_line(token, datetime.now(UTC)))


@token_app.command("revoke")
def token_revoke(
    number: Annotated[int, typer.Argument(help="As `token list` shows it.", min=1, max=2**63 - 1)],
) -> None:
    """End a token, and the sessions at the desk that began with it. It is refused within two seconds."""
    from service.adapters.postgres.access import tokens
    from service.adapters.postgres.database import connect

    url = load_settings("token", libraries=False, with_database=True).database_url.get_secret_value()
    with connect(url, "returns-token") as connection:
        if not tokens.revoke_token(connection, number):
            raise Fatal(f"there is no token {number}")


def _line(token: Token, now: datetime) -> str:
    """A token as people see it; of its last use to the minute."""
    who, bounds = token.caller.who, token.caller.bounds
    state = "valid"
    if token.revoked_at is not None:
        state = f"revoked {token.revoked_at:{_MINUTE}}"
    elif token.expires_at is not None:
        state = f"{'expired' if token.expires_at <= now else 'expires'} {token.expires_at:{_MINUTE}}"
    used = "never" if token.last_used_at is None else f"{token.last_used_at:{_MINUTE}}"
    told = [f"{kind}={','.join(sorted(names))}" for kind, names in _bounds(*_kinds(bounds)) if names]
    told += [f"rate={token.caller.rate}"] if token.caller.rate is not None else []
    scopes = ",".join(sorted(token.caller.scopes))
    limits = " ".join(told) or "unbound"
    return (
        f"{who.token_no:>6}  {scopes:<22}  {token.created_at:{_MINUTE}}  {state:<24}  used {used:<16}  {limits}  "
        f"{token.caller.publisher}  {who.label}"
    )


def _kinds(bounds: Bounds) -> tuple[Collection[str], Collection[str], Collection[str]]:
    return bounds.retailers, bounds.carriers, bounds.hubs


def _bounds(*kinds: Collection[str] | None) -> zip[tuple[str, Collection[str] | None]]:
    return zip(("retailer", "carrier", "hub"), kinds, strict=True)


def _slugs(option: str, names: Collection[str] | None) -> frozenset[str]:
    """The names of an option. A name that nothing can have would bind a token to nothing."""
    from service.wire.models import SLUG_PATTERN, compiled

    wrong = next((name for name in names or () if not compiled(SLUG_PATTERN)(name)), None)
    if wrong is not None:
        raise typer.BadParameter(f"{wrong!r} is no name: {SLUG_PATTERN}", param_hint=f"--{option}")
    return frozenset(names or ())


def _duration(text: str) -> timedelta | None:
    if not text:
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,4})([dhm])", text)
    if found is None:
        raise typer.BadParameter(
            "a number of days, hours or minutes is expected: 90d, 12h, 30m", param_hint="--expires"
        )
    return timedelta(**{{"d": "days", "h": "hours", "m": "minutes"}[found[2]]: int(found[1])})

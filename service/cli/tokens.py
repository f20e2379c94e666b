"""The commands `token create`, `token list` and `token revoke`."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.command_output import show
from service.cli.start import load_settings
from service.errors import Fatal

token_app = typer.Typer(help="Tokens for the HTTP API.", no_args_is_help=True, rich_markup_mode=None)


@token_app.command("create")
def token_create(
    scopes: Annotated[
        str, typer.Option(help="What the token allows, separated by commas: read, create, scan, hub, ops.")
    ],
    label: Annotated[str, typer.Option(help="Whom or what it is for, to know it again.")] = "",
    publisher: Annotated[
        str, typer.Option(help="In whose name it sends events: the same for every token of one. By default the label.")
    ] = "",
) -> None:
    """Make an API token and print it, alone, on standard output. It cannot be shown again: only its hash is stored.

    Two examples:

    \b
        TOKEN=$(returns-status token create --scopes read,ops --label "customer service")
        TOKEN=$(returns-status token create --scopes scan --publisher nzpost --label "NZ Post, autumn")
    """  # noqa: D301 - the command line needs the character
    from service.adapters.postgres.access import tokens
    from service.adapters.postgres.database import connect
    from service.application.access.scopes import parse_scopes
    from service.application.commands.accepting import publisher_name

    try:
        wanted = parse_scopes(scopes)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--scopes") from None
    name = publisher_name(publisher or label)
    if publisher and name != publisher:
        raise typer.BadParameter("a name is 1 to 40 small letters, digits and dashes", param_hint="--publisher")
    url = load_settings("token", libraries=False, with_database=True).database_url.get_secret_value()
    with connect(url, "returns-token") as connection:
        show(tokens.create_token(connection, wanted, label, name))


@token_app.command("list")
def token_list() -> None:
    """Print what tokens there are: number, scopes, when made, when revoked, label."""
    from service.adapters.postgres.access import tokens
    from service.adapters.postgres.database import connect

    url = load_settings("token", libraries=False, with_database=True).database_url.get_secret_value()
    with connect(url, "returns-token", writes=False) as connection:
        for number, label, scopes, created_at, revoked_at in tokens.list_tokens(connection):
            state = f"revoked {revoked_at:%Y-%m-%d %H:%M}" if revoked_at else "valid"
            show(f"{number:>6}  {','.join(scopes):<22}  {created_at:%Y-%m-%d %H:%M}  {state:<24}  {label}")


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

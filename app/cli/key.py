"""`tocsin key`: the keys of the HTTP API. The first admin key can only be made here, beside the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from app.cli.trouble import Trouble

if TYPE_CHECKING:
    from app.api.access import Key, Role
    from app.store.database import Store

ROLES: Final = ("admin", "responder", "read-only")
MAX_NAME: Final = 200
MOST: Final = 10_000


@click.group()
def key() -> None:
    """Make, list and revoke keys of the HTTP API."""


@key.command()
@click.option("--name", required=True, help="Whose key it is; goes into every timeline it writes to.")
@click.option("--role", required=True, type=click.Choice(ROLES), help="What it may do.")
def create(name: str, role: Role) -> None:
    """Make a key and print it, this once."""
    from app.cli.environment import read_settings
    from app.cli.storage import in_database

    if not name.isprintable() or not 1 <= len(name.strip()) <= MAX_NAME:
        raise Trouble(f"a key needs a name of 1 to {MAX_NAME} printable characters")

    async def work(store: Store) -> tuple[Key, str]:
        from app.store.migrate import migrate

        await migrate(store)
        return await new_key(store, name.strip(), role)

    made, secret = in_database(read_settings(), work)
    click.echo(
        f"API key {made.name!r} ({made.role}, id {made.id}). It can't be shown again. Send it as: Authorization: Bearer KEY",
        err=True,
    )
    click.echo(secret)


async def new_key(store: Store, name: str, role: Role) -> tuple[Key, str]:
    """Makes a key; answers it and its secret. Raises Trouble when the name is taken."""
    from app.api.access import create_key
    from app.store.resources import Refused

    try:
        return await store.write(create_key, name, role)
    except Refused as error:
        raise Trouble(str(error)) from None


@key.command("list")
def list_keys() -> None:
    """List all keys, revoked ones too. Only their last characters are known."""
    from app.api.access import listed_keys
    from app.cli.environment import read_settings
    from app.cli.storage import in_database

    async def work(store: Store) -> Sequence[Key]:
        return await store.read(listed_keys, 0, MOST)

    found = in_database(read_settings(), work)
    if not found:
        click.echo("There is no key yet: tocsin key create --name NAME --role admin", err=True)
        return
    width = max(len(one.name) for one in found)
    for one in found:
        click.echo(_row(one, width))


def _row(one: Key, width: int) -> str:
    from app.clock import iso

    state = f"revoked {iso(one.revoked_at)[:10]}" if one.revoked_at else "valid"
    return f"{one.id}  {one.name:<{width}}  {one.role:<9}  ...{one.hint}  made {iso(one.created_at)[:10]}  {state}"


@key.command()
@click.argument("key_id", metavar="ID", type=click.IntRange(1, 2**63 - 1))
def revoke(key_id: int) -> None:
    """End a key. Every server hears of it within a second."""
    from app.api.access import revoke_key
    from app.api.problems import NotFound
    from app.cli.environment import read_settings
    from app.cli.storage import in_database

    async def work(store: Store) -> Key:
        return await store.write(revoke_key, key_id)

    try:
        gone = in_database(read_settings(), work)
    except NotFound:
        raise Trouble(f"there is no key {key_id}; `tocsin key list` shows them") from None
    click.echo(f"revoked {gone.name!r} ({gone.role}, id {gone.id})")

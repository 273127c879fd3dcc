"""`tocsin openapi`: the document that describes the HTTP API, made from the code without a server or a database."""

from __future__ import annotations

from typing import Any

import click


@click.command()
@click.option("--write", is_flag=True, help="Write openapi/openapi.json of this checkout instead of printing.")
def openapi(*, write: bool) -> None:
    """Print the OpenAPI document of the HTTP API."""
    import json

    from app.cli.settings import checkout

    text = json.dumps(document(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    if not write:
        click.echo(text, nl=False)
        return
    file = checkout() / "openapi" / "openapi.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    click.echo(f"wrote {file}", err=True)


def document() -> dict[str, Any]:
    """The document, the same on every machine: no setting and no address goes into it."""
    import asyncio

    return asyncio.run(_document())


async def _document() -> dict[str, Any]:
    from pydantic import SecretStr

    from app.api.app import build
    from app.clock import SystemClock
    from app.ids import ProcessIds
    from app.settings import Settings
    from app.wiring import Process, open_world

    # Built without the environment. With a secret given nothing is asked of the database, so no file is made.
    settings = Settings.model_construct(secret_key=SecretStr("unused"))
    world = await open_world(settings, SystemClock(), ProcessIds())
    process = Process(world)
    try:
        found: dict[str, Any] = build(world, process).openapi()
        return found
    finally:
        await world.outbound.aclose()
        await world.store.close()

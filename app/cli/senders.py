"""`tocsin senders`: how each sender is pointed at Tocsin, as docs/senders.md shows it."""

from __future__ import annotations

from typing import Final

import click

EXAMPLE: Final = "https://tocsin.example.org"
HEAD: Final = """# Setting senders up

<!-- Written by `tocsin senders --write` from app/sources; a test holds the two together. -->

Make an integration first; the answer has its key, and this page's text for its kind with the address and the key filled in:

```sh
curl -sS https://tocsin.example.org/v1/integrations -H "Authorization: Bearer $ADMIN" -H 'Content-Type: application/json' \\
  -d '{"name": "monitoring", "kind": "KIND", "service_id": "8012345678901234"}'
```

Then, with the id of the integration:

| request | tells |
| --- | --- |
| `POST /v1/integrations/ID/test` | sends a message of the sender's own form the whole way; with `{"page": true}` people are paged |
| `GET /v1/integrations/ID/setup` | when something last came, how many alerts are open, what was refused and why |
| `GET /v1/integrations/ID/samples` | the newest messages as they came, when the setting `samples` keeps them |
| `POST /v1/senders/KIND/try` | the events that come out of a pasted message with settings of your own, before anything is saved |

What each kind understands stands in [sources.md](sources.md). `KEY` is the key of the integration.

"""


@click.command()
@click.option("--write", is_flag=True, help="Write docs/senders.md of this checkout instead of printing.")
def senders(*, write: bool) -> None:
    """List every sender and how it is set up."""
    from app.cli.settings import checkout

    if not write:
        click.echo(document(), nl=False)
        return
    file = checkout() / "docs" / "senders.md"
    file.write_text(document(), encoding="utf-8")
    click.echo(f"wrote {file}", err=True)


def document() -> str:
    """docs/senders.md, whole."""
    from app.sources.registry import BUILT_IN
    from app.sources.setup import guide_of

    known = sorted(BUILT_IN, key=lambda source: source.title.lower())
    return HEAD + "\n".join(
        f"## {source.title}\n\nKind `{source.kind}`.\n\n{guide_of(source, EXAMPLE)}\n" for source in known
    )

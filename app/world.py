"""What one process is made of, put together once and handed down. Nothing below imports settings or makes its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.clock import Clock
from app.dedup.committer import Committer
from app.dedup.directory import Directory
from app.dedup.work import Written
from app.ids import Ids
from app.metrics import Metrics
from app.notifiers.notifier import Notifier
from app.notifiers.outbound import Outbound
from app.settings import Settings
from app.sources.source import Source
from app.store.database import Store
from app.watch.heard import Heard


@dataclass(slots=True)
class World:
    """One process of Tocsin."""

    settings: Settings
    clock: Clock
    ids: Ids
    store: Store
    metrics: Metrics
    directory: Directory
    committer: Committer
    sources: Mapping[str, Source[Any]]
    notifiers: Mapping[str, Notifier[Any]]
    outbound: Outbound
    secret: str
    """Signs links; the same in every replica."""
    base_url: str
    """The address that goes into links, without a slash at its end."""
    on_written: Callable[[Written], None]
    """Told what a transaction of ingest did: counts it, and wakes the worker."""
    heard: Heard = field(default_factory=Heard)
    """From which integrations something came, until that is written down."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a job may have become due: the worker looks at once. A hint; it also looks by itself."""

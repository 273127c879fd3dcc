"""What one process is made of, put together once and handed down. Nothing below imports settings or makes its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.clock import Clock
from app.dedup.committer import Committer
from app.dedup.directory import Directory
from app.ids import Ids
from app.metrics import Metrics
from app.notifiers.notifier import Notifier
from app.notifiers.outbound import Outbound
from app.settings import Settings
from app.sources.source import Source
from app.store.database import Store


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
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a job may have become due: the worker looks at once. A hint; it also looks by itself."""

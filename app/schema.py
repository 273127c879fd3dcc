"""Brings every domain's tables together: importing this fills `metadata`."""

from __future__ import annotations

from app.dedup import tables as _alerts
from app.incidents import tables as _incidents
from app.oncall import tables as _oncall
from app.paging import tables as _pages
from app.people import tables as _people
from app.rota import tables as _rota
from app.routing import tables as _routing
from app.store import tables as _store
from app.store.metadata import metadata
from app.watch import tables as _watch

__all__ = ["metadata"]
TABLES = (_store, _incidents, _alerts, _oncall, _people, _pages, _rota, _routing, _watch)

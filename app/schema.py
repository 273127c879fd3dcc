"""Brings every domain's tables together: importing this fills `metadata`."""

from __future__ import annotations

from app.dedup import tables as _alerts
from app.incidents import tables as _incidents
from app.oncall import tables as _oncall
from app.paging import tables as _pages
from app.store import tables as _store
from app.store.metadata import metadata

__all__ = ["metadata"]
TABLES = (_store, _incidents, _alerts, _oncall, _pages)

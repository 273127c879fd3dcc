"""Overrides of a schedule: somebody stands in for a while. Made and taken back, never edited, and the past stays as it was.

Must never know how overrides change who is on call (app/oncall).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import insert, select, update
from starlette.responses import Response

from app.api import references
from app.api.access import CallerOf
from app.api.idempotency import Made, RequestedOf, once
from app.api.parameters import ID, Cursor, IdText, Limit, list_model, page, position
from app.api.problems import NotFound, answers, invalid
from app.api.references import Reference
from app.api.resources import read_one
from app.clock import Micros, iso
from app.oncall.document import OverrideDocument
from app.oncall.schedule import Override, OverrideId
from app.oncall.tables import overrides
from app.store.database import Reading, Writing
from app.store.resources import Refused
from app.world import World

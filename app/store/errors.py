"""What can go wrong with the store, as the rest of the program sees it.

StoreError
├── Unavailable   the database can't be reached, is full, or died in the middle: our trouble, try again
├── Rejected      the database works, and won't take what it was asked: a fault of the row or of the code
└── Conflict      a unique key or a serialization check said no even after retries
"""

from __future__ import annotations


class StoreError(Exception):
    """Something went wrong between us and the database."""


class Unavailable(StoreError):
    """The database did not do what it was asked; whether a commit happened may be unknown."""


class Rejected(StoreError):
    """The database can't take this value or this statement, today or tomorrow; nothing was written."""


class Conflict(StoreError):
    """Another transaction won, again and again."""

"""What can go wrong with the store, as the rest of the program sees it.

StoreError
├── Unavailable   the database can't be reached, is full, or died in the middle: our trouble, try again
│   └── Contended     others were quicker, even after retries: nothing is wrong with what was asked
├── Rejected      the database works, and won't take what it was asked: a fault of the row or of the code
└── Conflict      a unique key or a reference said no, even after retries
"""

from __future__ import annotations


class StoreError(Exception):
    """Something went wrong between us and the database."""


class Unavailable(StoreError):
    """The database did not do what it was asked; whether a commit happened may be unknown."""


class Contended(Unavailable):
    """Another transaction won, again and again; nothing was written."""


class Rejected(StoreError):
    """The database can't take this value or this statement, today or tomorrow; nothing was written."""


class Conflict(StoreError):
    """A unique key or a reference said no, again and again; nothing was written."""

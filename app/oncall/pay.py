"""What on-call is paid: rates an hour for each kind of hour, and what they come to. Pure: must never know the database.

Rates and amounts are decimal text on the outside and `Decimal` inside: money is never a binary fraction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.clock import HOUR, Micros

PayKind = Literal["day", "night", "weekend", "holiday"]
"""What an hour is paid as. It is one of them and never two: fairness.py says which."""

RATE = r"^[0-9]{1,9}(\.[0-9]{1,4})?$"
"""An amount of money as text. No sign, no exponent, no thousands mark."""

_PLACES = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV"), 0),
    **dict.fromkeys(("XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""The decimals of the currencies of ISO 4217 that have another number of them than 2."""

_EXACT = Context(prec=60)
"""More digits than a sum over the longest report can have: nothing is rounded before the end."""

Rate = Annotated[str, Field(pattern=RATE, examples=["12.50"], description="Money for an hour; decimal text.")]


class Pay(BaseModel):
    """What an hour on call is worth. Hours in two roles at once are two hours, and paid twice."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217, three letters.", examples=["EUR"])
    day: Rate = "0"
    night: Rate = "0"
    weekend: Rate = "0"
    holiday: Rate = "0"
    per_page: Annotated[str, Field(pattern=RATE, description="Money for each page; decimal text.")] = "0"

    def rate(self, kind: PayKind) -> Decimal:
        """What an hour of this kind is worth."""
        return Decimal(getattr(self, kind))


@dataclass(frozen=True, slots=True)
class Amount:
    """A sum of money, in the smallest unit of its currency and no finer."""

    currency: str
    value: Decimal

    def text(self) -> str:
        """With the decimals of the currency: "1234.50"."""
        return f"{self.value:f}"


def amount(pay: Pay, worked: Mapping[PayKind, Micros], pages: int) -> Amount:
    """What the time of each kind and the pages come to. Rounded once, at the end, half up to the smallest unit."""
    total = _EXACT.multiply(Decimal(pay.per_page), Decimal(pages))
    for kind, time in worked.items():
        total = _EXACT.add(total, _EXACT.divide(_EXACT.multiply(pay.rate(kind), Decimal(time)), Decimal(HOUR)))
    smallest = Decimal(1).scaleb(-_PLACES.get(pay.currency, 2))
    return Amount(pay.currency, total.quantize(smallest, ROUND_HALF_UP, _EXACT))

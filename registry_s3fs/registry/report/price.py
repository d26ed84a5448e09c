"""What bytes cost. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

_GIB = 2**30
_LEAST = Decimal("0.01")


class Price(NamedTuple):
    """What a GiB costs, for as long as the price is for: mostly a month."""

    per_gib: Decimal
    currency: str = ""

    def cost(self, size: int) -> str:
        """Return what so many bytes cost.

        >>> price = Price(Decimal("0.023"), "USD")
        >>> price.cost(2**40), price.cost(5), Price(Decimal(1)).cost(0)
        ('23.55 USD', '< 0.01 USD', '0.00')
        """
        cost = Decimal(size) / _GIB * self.per_gib
        text = f"< {_LEAST}" if 0 < cost < _LEAST / 2 else f"{cost:,.2f}"
        return f"{text} {self.currency}".strip()

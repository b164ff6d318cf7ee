"""Exact money, rates and shares.

Neighbours may rely on this: an amount is a `Yuan`, a whole number of fen; a rate (a year) and a share (0…1) are
`Decimal`s; nothing here is ever a float, and every rounding is a function whose name says its direction.
"""

from __future__ import annotations

import re
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Self

_FEN = tuple(f"{fen:02d}" for fen in range(100))
_AMOUNT = re.compile(r"(-?)([0-9]{1,13})(?:\.([0-9]{1,2}))?")


class Yuan(int):
    """An amount in yuan (元), exact to the fen: the integer is the number of fen.

    Being an integer, it compares and adds at an integer's speed; a sum or difference of amounts is an amount again.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """This function will read a decimal string such as "10000000.00" or "5"; ValueError for more than two
        decimals.
        """
        fen = text[:-3] + text[-2:]
        if text[-3:-2] == "." and 4 <= len(text) <= 16 and fen.isdigit() and fen.isascii():
            return cls(fen)  # the ordinary spelling, at a third of the cost
        match = _AMOUNT.fullmatch(text)
        if match is None:
            raise ValueError('an amount is a decimal string with at most two decimals, such as "10000000.00"')
        sign, yuan, fen = match.groups()
        value = int(yuan) * 100 + (int(fen.ljust(2, "0")) if fen else 0)
        return cls(-value if sign else value)

    @classmethod
    def whole(cls, yuan: int) -> Self:
        """This function will return that many whole yuan as an amount."""
        return cls(yuan * 100)

    def text(self) -> str:
        """This function will return the wire form: a decimal string with exactly two decimals."""
        yuan, fen = divmod(int(self), 100)
        return f"{yuan}.{_FEN[fen]}" if yuan >= 0 else f"-{Yuan(-self).text()}"

    def __add__(self, other: int) -> Yuan:
        return Yuan(int.__add__(self, other))

    __radd__ = __add__

    def __sub__(self, other: int) -> Yuan:
        return Yuan(int.__sub__(self, other))

    def __repr__(self) -> str:
        return f"Yuan({self.text()})"

    def __str__(self) -> str:
        return self.text()


def decimal_text(value: Decimal) -> str:
    """This function will write an exact decimal without an exponent, its zeros as they are: "0.50" stays "0.50", 1E+1
    becomes "10".
    """
    return format(value, "f")


def rate_text(rate: Decimal) -> str:
    """This function will write a rate a year with at least four decimals and no more than it needs: "0.0345",
    "0.01725".
    """
    whole, _, decimals = format(rate, "f").partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(4, '0')}"


def rate_rounded(rate: Decimal) -> Decimal:
    """This function will round a computed rate half-up to six decimals (a hundredth of a basis point)."""
    return rate.quantize(Decimal("0.000001"), ROUND_HALF_UP)


def share_of_floored(amount: Yuan, share: Decimal) -> Yuan:
    """This function will return amount × share, rounded down to the fen."""
    return Yuan(int((int(amount) * share).to_integral_value(ROUND_FLOOR)))


def floored_to(amount: Yuan, unit: Yuan) -> Yuan:
    """This function will round an amount down to a whole multiple of `unit` (> 0)."""
    return Yuan(int(amount) // int(unit) * int(unit))


def rate_from_bps(bps: int) -> Decimal:
    """This function will return basis points as an exact rate: 45 is 0.0045."""
    return Decimal(bps).scaleb(-4)

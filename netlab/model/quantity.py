"""Quantities such as `500m`, `1.5Gi` or `2e3`: exact numbers that print as they were meant.

Source: k8s.io/apimachinery/pkg/api/resource.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE])([+-]?\d{1,2})|([KMGTPE]i|[numkMGTPE]))?", re.ASCII)


@dataclass(frozen=True, order=True)
class Quantity:
    """A number, and whether it is written in powers of 1024."""

    value: Fraction = Fraction(0)
    binary: bool = False

    @classmethod
    def parse(cls, text: str | int | float) -> Quantity:
        """The quantity of a text; ValueError when it is none."""
        found = _QUANTITY.fullmatch(str(text))
        if found is None or len(str(text)) > 64:
            raise ValueError(f"not a quantity: {text}")
        number, exponent, suffix = Fraction(found[1]), found[3], found[4] or ""
        if suffix in _BINARY[1:]:
            return cls(number * 1024 ** _BINARY.index(suffix), binary=True)
        return cls(number * Fraction(10) ** (int(exponent) if exponent else _DECIMAL[suffix]))

    def __add__(self, other: Quantity) -> Quantity:
        """The sum, written as the first that is not zero."""
        return Quantity(self.value + other.value, self.binary if self.value else other.binary)

    def __sub__(self, other: Quantity) -> Quantity:
        """The difference, written as the first that is not zero."""
        return self + Quantity(-other.value, other.binary)

    def __str__(self) -> str:
        """The canonical form: no fraction, the largest suffix that allows that."""
        if self.binary and abs(self.value) >= 1024 and self.value.denominator == 1:
            number, power = int(self.value), 0
            while number % 1024 == 0 and power < len(_BINARY) - 1:
                number, power = number // 1024, power + 1
            return f"{number}{_BINARY[power]}"
        if not self.value:
            return "0"
        for suffix, power in sorted(_DECIMAL.items(), key=lambda item: -item[1]):
            number_of = self.value / Fraction(10) ** power
            if number_of.denominator == 1:
                return f"{int(number_of)}{suffix}"
        whole = -(-self.value * 10 ** 9 // 1)  # finer than nano is rounded up, as upstream
        return f"{whole}n"


ZERO = Quantity()
Amounts = dict[str, Quantity]
"""Quantities by the name of what they measure."""


def parse_all(texts: dict[str, str] | None) -> Amounts:
    """The quantities of a ResourceList."""
    return {name: Quantity.parse(text) for name, text in (texts or {}).items()}


def plus(left: Amounts, right: Amounts) -> Amounts:
    """The sum of two lists."""
    return {name: left.get(name, ZERO) + right.get(name, ZERO) for name in left | right}


def most(left: Amounts, right: Amounts) -> Amounts:
    """The larger of both, name by name."""
    return {name: max(left.get(name, ZERO), right.get(name, ZERO), key=lambda q: q.value) for name in left | right}


def shown(amounts: Amounts) -> str:
    """`cpu=500m,pods=1`, as messages name them."""
    return ",".join(f"{name}={amounts[name]}" for name in sorted(amounts))

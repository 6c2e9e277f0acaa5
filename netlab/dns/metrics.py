"""Counters, gauges and histograms, and how Prometheus reads them (text format 0.0.4)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

DURATIONS = tuple(0.00025 * 2 ** n for n in range(16))  # seconds
SIZES = (0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3)  # bytes
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[str, ...]


@dataclass
class Family:
    """A metric with its values by labels. `kind` is counter, gauge or histogram."""

    name: str
    help: str
    kind: str
    labels: Labels = ()
    buckets: Sequence[float] = ()
    values: dict[Labels, float] = field(default_factory=dict)
    counts: dict[Labels, list[int]] = field(default_factory=dict)

    def add(self, *labels: str, by: float = 1) -> None:
        """Counts."""
        self.values[labels] = self.values.get(labels, 0) + by

    def set(self, *labels: str, to: float) -> None:
        """Sets the gauge, or a counter that is kept elsewhere."""
        self.values[labels] = to

    def observe(self, value: float, *labels: str, times: int = 1) -> None:
        """Counts a value of the histogram."""
        counts = self.counts.get(labels)
        if counts is None:
            counts = self.counts[labels] = [0] * (len(self.buckets) + 1)
        counts[bisect_left(self.buckets, value)] += times
        self.values[labels] = self.values.get(labels, 0) + value * times

    def lines(self) -> Iterator[str]:
        """The family as Prometheus reads it; nothing when it has no values."""
        if not self.values:
            return
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} {self.kind}"
        for labels, value in sorted(self.values.items()):
            pairs = list(zip(self.labels, labels, strict=True))
            if self.kind == "histogram":
                yield from self._histogram(pairs, self.counts[labels], value)
            else:
                yield f"{self.name}{_braces(pairs)} {number(value)}"

    def _histogram(self, pairs: list[tuple[str, str]], counts: list[int], total: float) -> Iterator[str]:
        below = 0
        for bound, count in zip((*map(number, self.buckets), "+Inf"), counts, strict=True):
            below += count
            yield f"{self.name}_bucket{_braces([*pairs, ('le', bound)])} {below}"
        yield f"{self.name}_sum{_braces(pairs)} {number(total)}"
        yield f"{self.name}_count{_braces(pairs)} {below}"


def _braces(pairs: Iterable[tuple[str, str]]) -> str:
    shown = ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs)
    return f"{{{shown}}}" if shown else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def number(value: float) -> str:
    """A number as Go's strconv prints it with the shortest digits."""
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    if value == int(value) and abs(value) < 1e21:
        mantissa, _, exponent = f"{value:.17e}".partition("e")
        digits = repr(float(value)) if abs(value) < 1e16 else ""
        shown = digits.rstrip("0").rstrip(".").replace(".", "").rstrip("0") if digits else mantissa.rstrip("0")
        sign, shown = ("-", shown[1:]) if shown.startswith("-") else ("", shown)
        return f"{sign}{shown[0]}{'.' + shown[1:] if len(shown) > 1 else ''}e{int(exponent):+03d}"
    return repr(value)


def text(families: Iterable[Family]) -> str:
    """The page, sorted by name."""
    return "".join(line + "\n" for family in sorted(families, key=lambda each: each.name) for line in family.lines())

"""What all directives need to become settings: where they stand, and words as numbers, durations and zones."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from netlab.dns.chain import Plugin
from netlab.dns.corefile import CorefileError, Directive
from netlab.dns.names import Name, longest, zones_of

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"([+-]?)((?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+")
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")


@dataclass(frozen=True)
class Surroundings:
    """What a configuration depends on besides its text. `read` gives a file's text or raises OSError."""

    read: Callable[[str], str] = field(default=lambda path: "")
    files: Callable[[str], Iterable[tuple[str, str]]] = field(default=lambda pattern: ())
    environment: Mapping[str, str] = field(default_factory=dict)
    addresses: tuple[str, ...] = ()  # the server's own
    nonce: str = "1.2"  # two numbers that no other server has, for the loop plugin's question


@dataclass(frozen=True)
class Scope:
    """The server block that a directive is in."""

    zones: tuple[Name, ...]
    port: int
    around: Surroundings


@dataclass(frozen=True)
class Fall:
    """The zones whose unknown names are the next plugin's; None: of no zone."""

    zones: tuple[Name, ...] | None = None

    def through(self, name: Name) -> bool:
        """Whether the next plugin is asked."""
        return self.zones is not None and longest(name, self.zones) is not None

    @classmethod
    def of(cls, words: Iterable[str]) -> Fall:
        """What `fallthrough [ZONES...]` says."""
        return cls(zones(words) or (Name(),))


Setup = Callable[[tuple[Directive, ...], Scope], tuple[Plugin, ...]]


def only(name: str, directives: tuple[Directive, ...]) -> Directive:
    """The directive, which may stand once in a server block."""
    if len(directives) > 1:
        raise CorefileError(f"plugin/{name}: this plugin can only be used once per Server Block")
    return directives[0]


def zones(words: Iterable[str]) -> tuple[Name, ...]:
    """The zones that words mean."""
    return tuple(zone for word in words for zone in zones_of(word))


def integer(text: str) -> int:
    """A number; the error is that of Go."""
    try:
        return int(text)
    except ValueError:
        raise CorefileError(f'strconv.Atoi: parsing "{text}": invalid syntax') from None


def duration(text: str) -> float:
    """Seconds from `1m30s`, `0.5s` or `0`; the errors are those of Go."""
    if text.strip("+-") == "0":
        return 0.0
    if not _DURATION.fullmatch(text):
        unit = re.fullmatch(r"[+-]?[\d.]+", text)
        why = "missing unit in" if unit else "invalid"
        raise CorefileError(f'time: {why} duration "{text}"')
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text)) * (-1 if text[0] == "-" else 1)

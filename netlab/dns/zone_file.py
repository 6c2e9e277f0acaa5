"""A zone's file in the format of RFC 1035 section 5, read by dnslib."""

from __future__ import annotations

from collections.abc import Iterable

from dnslib import RR
from dnslib.dns import DNSError, ZoneParser

from netlab.dns.names import IPAddress, Name
from netlab.dns.records import Record
from netlab.dns.upstream import record
from netlab.dns.zone import Zone, ZoneError

TTL = 300  # seconds, of addresses of hosts
# The root's, as its servers say it; the serial is any number.
ROOT = "@ 86400 IN SOA a.root-servers.net. nstld.verisign-grs.com. 2026112100 1800 900 604800 86400"


def read_zone(text: str, origin: Name) -> Zone:
    """The zone. ZoneError says what is wrong with the text, or with the zone that it describes."""
    try:
        found = list(_Parser(text, origin=str(origin), ttl=3600))
    except (DNSError, ValueError, IndexError, TypeError, AttributeError, StopIteration) as error:
        raise ZoneError(f"cannot be parsed: {error or type(error).__name__}") from None
    return Zone.of(origin, map(_record, found))


class _Parser(ZoneParser):  # type: ignore[misc]
    """Knows that the target of an SRV record may be relative, and that the class may stand before the TTL."""

    def parse_rr(self, words: list[str]) -> RR:
        if len(words) > 2 and words[1] == "IN" and words[2].isdigit():
            words[1:3] = [words[2], words[1]]
        if "SRV" in words[1:4] and not words[-1].endswith("."):
            words[-1] = f"{words[-1]}.{self.origin}".replace("..", ".")
        return super().parse_rr(words)


def _record(rr: RR) -> Record:
    if rr.rdata.__class__.__name__ == "TXT":
        texts = tuple(part.decode("latin-1") for part in rr.rdata.data)
        return Record(Name(part.decode("latin-1") for part in rr.rname.label), "TXT", rr.ttl, texts)
    return record(rr)


def host_lines(names: Iterable[str], addresses: Iterable[IPAddress]) -> list[str]:
    """Lines of the root's zone for a host: its addresses, and back from them to the first name that is its own."""
    plain = [name for name in names if not name.startswith("*.")]
    lines = []
    for address in addresses:
        lines += [f"{name} {TTL} {'A' if address.version == 4 else 'AAAA'} {address}" for name in names]
        lines += [f"{address.reverse_pointer} {TTL} PTR {plain[0]}"] if plain else []
    return lines

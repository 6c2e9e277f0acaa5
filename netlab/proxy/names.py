"""Names of kube-proxy's chains."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PAIRS = tuple(a + b for a in _BASE32 for b in _BASE32)
_SHIFTS = tuple(range(70, -1, -10))


@lru_cache(maxsize=65536)
def chain_hash(text: str) -> str:
    """The first 16 characters of the text's SHA-256 in base32 (RFC 4648), which are its first ten bytes."""
    number = int.from_bytes(sha256(text.encode()).digest()[:10], "big")
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])


def service_hash(name: str, protocol: str) -> str:
    """The hash in KUBE-SVC-, KUBE-SVL-, KUBE-EXT- and KUBE-FW- of a port such as `default/web:http`."""
    return chain_hash(name + protocol.lower())


def endpoint_chain(name: str, protocol: str, endpoint: str) -> str:
    """The KUBE-SEP- chain of a port's endpoint such as `10.244.1.10:8080`."""
    return "KUBE-SEP-" + chain_hash(name + protocol.lower() + endpoint)

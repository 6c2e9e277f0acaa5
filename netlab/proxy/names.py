"""Names of kube-proxy's chains."""

from __future__ import annotations

from hashlib import sha256

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PAIRS = tuple(a + b for a in _BASE32 for b in _BASE32)


def chain_hash(text: str) -> str:
    """The first 16 characters of the text's SHA-256 in base32 (RFC 4648), which are its first ten bytes."""
    digest = sha256(text.encode()).digest()
    a, b = int.from_bytes(digest[:5], "big"), int.from_bytes(digest[5:10], "big")  # eight characters are 40 bits
    return (f"{_PAIRS[a >> 30]}{_PAIRS[a >> 20 & 1023]}{_PAIRS[a >> 10 & 1023]}{_PAIRS[a & 1023]}"
            f"{_PAIRS[b >> 30]}{_PAIRS[b >> 20 & 1023]}{_PAIRS[b >> 10 & 1023]}{_PAIRS[b & 1023]}")

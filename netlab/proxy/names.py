"""Names of kube-proxy's chains."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from hashlib import sha256

_BASE32 = bytes.maketrans(bytes(range(32)), b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_AT_ONCE = 64  # texts: for more, the long numbers become slower
_BEFORE = bytes(6)  # in front of ten bytes: as long as what they are spelt with


def chain_hash(text: str) -> str:
    """The first 16 characters of the text's SHA-256 in base32 (RFC 4648), which are its first ten bytes."""
    return _spelt([sha256(text.encode()).digest()[:10]])[0]


def chain_hashes(texts: Iterable[str]) -> list[str]:
    """`chain_hash` of each text, in half the time."""
    digests = [sha256(text.encode()).digest()[:10] for text in texts]
    return [name for start in range(0, len(digests), _AT_ONCE) for name in _spelt(digests[start:start + _AT_ONCE])]


def _spelt(digests: list[bytes]) -> list[str]:
    """All in one long number: each step moves the upper halves of all fields away, until a field has five bits."""
    number = int.from_bytes(b"".join([_BEFORE + digest for digest in digests]), "big")
    for bits, distance, lower in _steps(len(digests)):
        number = number & lower | (number >> bits & lower) << distance
    text = number.to_bytes(16 * len(digests), "big").translate(_BASE32).decode()
    return [text[start:start + 16] for start in range(0, len(text), 16)]


@cache
def _steps(count: int) -> tuple[tuple[int, int, int], ...]:
    """How many bits a half has, where the upper one goes, and where the lower ones are: 40 bits of 128, ... 5 of 16."""
    return tuple((bits, distance, int.from_bytes(((1 << bits) - 1).to_bytes(distance // 4, "big")
                                                 * (64 * count // distance), "big"))
                 for bits, distance in ((40, 64), (20, 32), (10, 16), (5, 8)))

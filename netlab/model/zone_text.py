"""Lines of DNS zones as a lab file has them: `NAME [TTL] [IN] TYPE DATA`, absolute names without the final dot."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from netlab.model.errors import FieldError, invalid
from netlab.model.internet import ZoneRecord

TTL = 300  # seconds, of records that do not say theirs
TYPES = {"A": 1, "AAAA": 1, "CNAME": 1, "NS": 1, "PTR": 1, "SRV": 4, "TXT": 0}  # with the number of their fields
_NAME = re.compile(r"(\*\.)?([a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?")
_MAX_TTL = 2**31 - 1  # RFC 2181 section 8


def zone_name(text: Any, *, domain: str) -> str:
    """Why the text is not the name of something outside; "" when it is. `*.` in front stands for all names below."""
    if not isinstance(text, str) or len(text) > 253 or not _NAME.fullmatch(text):
        return "must be a DNS name in lower case, such as www.example.com or *.apps.example.com"
    if text == domain or text.endswith(f".{domain}"):
        return f"lies in the cluster's own domain {domain}, which the cluster answers for"
    return ""


def read_records(lines: Iterable[str], path: str, *, domain: str) -> tuple[tuple[ZoneRecord, ...], list[FieldError]]:
    """(the records of the lines, what is wrong with others)."""
    found, errors = [], []
    for index, line in enumerate(lines):
        record = _record(line, domain)
        if isinstance(record, str):
            errors.append(invalid(f"{path}[{index}]", line, record))
        else:
            found.append(record)
    return tuple(found), errors


def conflicts(records: Sequence[ZoneRecord], others: Iterable[str], path: str) -> list[FieldError]:
    """An alias stands alone at its name (RFC 1034 section 3.6.2); `others` are names that have addresses."""
    count: dict[str, int] = {}
    for name in (*(record.name for record in records), *set(others)):
        count[name] = count.get(name, 0) + 1
    return [invalid(f"{path}[{index}]", str(record), "a name with a CNAME has no other records")
            for index, record in enumerate(records) if record.type == "CNAME" and count[record.name] > 1]


def _record(line: str, domain: str) -> ZoneRecord | str:
    """The record, or what is wrong with the line."""
    try:
        words = shlex.split(line)
    except ValueError:
        return "a quotation mark is missing"
    name, *rest = words or [""]
    name = name.removesuffix(".").lower()
    ttl = TTL
    if rest and rest[0].isdigit():
        ttl = int(rest.pop(0))
    if rest and rest[0].upper() == "IN":
        rest.pop(0)
    if problem := zone_name(name, domain=domain):
        return f'"{name}" {problem}'
    if ttl > _MAX_TTL:
        return f"the TTL is at most {_MAX_TTL}"
    kind = rest.pop(0).upper() if rest else ""
    if kind not in TYPES:
        return f"must be NAME [TTL] TYPE DATA, with a type of {', '.join(TYPES)}"
    if not rest or (TYPES[kind] and len(rest) != TYPES[kind]):
        count = TYPES[kind]
        return f"{kind} takes " + (f"{count} field{'s' if count > 1 else ''}" if count else "one or more texts")
    data = _data(kind, rest)
    return data if isinstance(data, str) else ZoneRecord(name, kind, data, ttl)


def _data(kind: str, words: list[str]) -> tuple[str | int, ...] | str:
    if kind in ("A", "AAAA"):
        try:
            return (str(IPv4Address(words[0]) if kind == "A" else IPv6Address(words[0])),)
        except ValueError:
            return f"{kind} takes an {'IPv4' if kind == 'A' else 'IPv6'} address"
    if kind == "TXT":
        if any(len(word.encode()) > 255 for word in words):
            return "a text has at most 255 bytes"
        if not all(" " <= character <= "~" and character not in '"\\' for word in words for character in word):
            return "a text has printable ASCII characters only, and neither quotation marks nor backslashes"
        return tuple(words)
    *numbers, target = words
    target = target.removesuffix(".").lower()
    if len(target) > 253 or not _NAME.fullmatch(target) or target.startswith("*"):
        return f"{kind} leads to a DNS name"
    if not all(number.isdigit() and int(number) < 65536 for number in numbers):
        return "SRV takes priority, weight and port as numbers, then a name"
    return (*map(int, numbers), target)

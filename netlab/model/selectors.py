"""Label and field selectors: what they match, and their query grammar."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netlab.model.errors import bad_request

_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
_TERM = re.compile(
    r"\s*(?:(?P<absent>!)\s*)?(?P<key>[^\s,()=!<>]+)\s*"
    r"(?:(?P<op>==|=|!=)\s*(?P<value>[^\s,()=!]*)|(?P<set>in|notin)\s*\((?P<values>[^()]*)\))?\s*(?:,|$)"
)


@dataclass(frozen=True)
class Requirement:
    """One term: `op` is in, notin, exists or ! (absent); the last two have no values."""

    key: str
    op: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """NotIn also holds when the key is absent."""
        if self.op == "in":
            return labels.get(self.key) in self.values
        if self.op == "notin":
            return labels.get(self.key) not in self.values
        return (self.key in labels) == (self.op == "exists")


@dataclass(frozen=True)
class Selector:
    """All requirements must hold; without any it matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return all(requirement.matches(labels) for requirement in self.requirements)


def from_map(labels: Mapping[str, str] | None) -> Selector:
    """A selector of equalities, such as a Service's."""
    return Selector(tuple(Requirement(k, "in", frozenset((v,))) for k, v in (labels or {}).items()))


def from_manifest(selector: Mapping[str, Any] | None) -> Selector:
    """A LabelSelector (matchLabels, matchExpressions)."""
    selector = selector or {}
    expressions = tuple(
        Requirement(e["key"], _OPERATORS[e["operator"]], frozenset(e.get("values") or ()))
        for e in selector.get("matchExpressions") or ()
    )
    return Selector(from_map(selector.get("matchLabels")).requirements + expressions)


def of_owner(owner: Mapping[str, Any]) -> Mapping[str, Any]:
    """The LabelSelector by which an object knows its pods; a ReplicationController says only labels."""
    selector: Mapping[str, Any] = (owner.get("spec") or {}).get("selector") or {}
    return {"matchLabels": selector} if owner.get("kind") == "ReplicationController" else selector


def parse(text: str) -> Selector:
    """The labelSelector query parameter: `a=b,c!=d,e in (f,g),!h`. ApiError 400 when malformed."""
    found, position = [], 0
    while position < len(text.rstrip()):
        term = _TERM.match(text, position)
        if term is None:
            raise bad_request(f'unable to parse requirement: found {text[position:]!r}')
        position = term.end()
        key, op = term["key"], term["op"]
        if term["absent"]:
            found.append(Requirement(key, "!"))
        elif op:
            found.append(Requirement(key, "notin" if op == "!=" else "in", frozenset((term["value"],))))
        elif term["set"]:
            found.append(Requirement(key, term["set"], frozenset(v.strip() for v in term["values"].split(","))))
        else:
            found.append(Requirement(key, "exists"))
    return Selector(tuple(found))


@dataclass(frozen=True)
class FieldSelector:
    """Terms (path, equal, value) on dotted paths; an absent field reads as ""."""

    terms: tuple[tuple[str, bool, str], ...] = ()

    def matches(self, manifest: Mapping[str, Any]) -> bool:
        """Whether every term holds for the object."""
        return all((_lookup(manifest, path) == value) == equal for path, equal, value in self.terms)


def parse_fields(text: str) -> FieldSelector:
    """The fieldSelector query parameter: `metadata.name=web,status.phase!=Failed`. ApiError 400 when malformed."""
    terms = []
    for term in filter(None, (part.strip() for part in text.split(","))):
        path, op, value = re.split(r"(!=|==|=)", term, maxsplit=1) if "=" in term else (term, "", "")
        if not op:
            raise bad_request(f"invalid field selector: {term!r}; can't understand it")
        terms.append((path, op != "!=", value))
    return FieldSelector(tuple(terms))


def _lookup(manifest: Mapping[str, Any], path: str) -> str:
    value: Any = manifest
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)

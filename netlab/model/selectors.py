"""Label and field selectors: what they match, and the grammar of field selectors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from netlab.model.errors import bad_request

_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


@dataclass(frozen=True)
class Requirement:
    """One term: `op` is in, notin, exists, ! (absent), gt or lt; exists and ! have no values."""

    key: str
    op: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """NotIn also holds when the key is absent."""
        if self.op == "in":
            return labels.get(self.key) in self.values
        if self.op == "notin":
            return labels.get(self.key) not in self.values
        if self.op in ("gt", "lt"):
            return self._compares(labels.get(self.key, ""))
        return (self.key in labels) == (self.op == "exists")

    def _compares(self, label: str) -> bool:
        if not re.fullmatch("[+-]?[0-9]{1,18}", label):
            return False
        bound = int(next(iter(self.values)))
        return int(label) > bound if self.op == "gt" else int(label) < bound


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


class FieldTerm(NamedTuple):
    """The value at a dotted path is (or is not) `value`; a field that is not there reads as `absent`."""

    path: str
    equal: bool
    value: str
    absent: str = ""


@dataclass(frozen=True)
class FieldSelector:
    """Terms on fields, all of which must hold."""

    terms: tuple[FieldTerm, ...] = ()

    def matches(self, manifest: Mapping[str, Any]) -> bool:
        """Whether every term holds for the object."""
        return all((_lookup(manifest, term) == term.value) == term.equal for term in self.terms)


def parse_fields(text: str) -> FieldSelector:
    """The fieldSelector query parameter: `metadata.name=web,status.phase!=Failed`. ApiError 400 when malformed.

    In values a backslash stands before a comma, an equals sign or a backslash.
    """
    terms = []
    for term in filter(None, (part.strip() for part in re.split(r"(?<!\\),", text))):
        path, op, value = re.split(r"(!=|==|=)", term, maxsplit=1) if "=" in term else (term, "", "")
        if not op:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        terms.append(FieldTerm(path, op != "!=", re.sub(r"\\(.)", r"\1", value)))
    return FieldSelector(tuple(terms))


def _lookup(manifest: Mapping[str, Any], term: FieldTerm) -> str:
    value: Any = manifest
    for part in term.path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, bool):
        return str(value).lower()
    return term.absent if value is None else str(value)

"""YAML text as plain values that remember where each of them stands.

Values are those of JSON, read as the Kubernetes API machinery reads YAML: dates stay text, `12:30` is no number,
keys are text. Duplicate keys, and documents that are huge or that aliases blow up, are refused.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netlab.scenario.problems import BadFile, Place, Problem

Field = tuple[str | int, ...]

MAX_BYTES = 4 << 20
MAX_NODES = 200_000  # with aliases expanded
MAX_DEPTH = 100

_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[1-9][0-9_]*|0)$")
_FLOAT = re.compile(r"[-+]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9_]+)([eE][-+]?[0-9]+)?$")
_EXPONENT = re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]{1,2}$")
_TRUE, _FALSE = ("true", "yes", "on"), ("false", "no", "off")


@dataclass(frozen=True)
class Document:
    """One YAML document: its value, and the place of every field by its path."""

    value: Any
    file: str
    places: dict[Field, tuple[int, int]]

    def place(self, field: Field = ()) -> Place:
        """Where a field stands; of one that is not there, where the nearest field around it stands."""
        while field not in self.places and field:
            field = field[:-1]
        return Place(self.file, *self.places.get(field, (0, 0)))

    def problem(self, field: Field, message: str) -> Problem:
        """A mistake at a field."""
        return Problem(self.place(field), show(field), message)


def show(field: Field) -> str:
    """`steps[2].wait`."""
    text = ""
    for part in field:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def field_of(path: str) -> Field:
    """The reverse of `show`."""
    parts = re.findall(r"\[(\d+)\]|([^.\[\]]+)", path)
    return tuple(int(index) if index else name for index, name in parts)


def read(path: Path | str) -> list[Document]:
    """The documents of a file, `-` being the standard input; empty documents are left out. BadFile says why not."""
    file = "STDIN" if str(path) == "-" else str(path)
    try:
        if file == "STDIN":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(path).open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadFile([Problem(Place(file), "", error.strerror or str(error))]) from None
    return parse(data, file)


def parse(data: bytes | str, file: str) -> list[Document]:
    """The documents of a text. BadFile has the place of a syntax error, or all misuses of YAML."""
    import yaml

    if len(data) > MAX_BYTES:
        raise BadFile([Problem(Place(file), "", f"the file is larger than {MAX_BYTES >> 20} MiB")])
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    documents: list[Document] = []
    problems: list[Problem] = []
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
        for root in yaml.compose_all(text, Loader=loader):
            reader = _Reader(file)
            value = reader.value(root, ())
            problems += reader.problems
            if value is not None:
                documents.append(Document(value, file, reader.places))
    except UnicodeDecodeError as error:
        words = f"the file is not UTF-8 text: {error.reason} at byte {error.start}"
        raise BadFile([Problem(Place(file), "", words)]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        words = "; ".join(part for part in (error.context, error.problem) if part)
        raise BadFile([*problems, Problem(place, "", f"YAML: {words}")]) from None
    except yaml.YAMLError as error:
        raise BadFile([*problems, Problem(Place(file), "", f"YAML: {error}".replace("\n", " "))]) from None
    if problems:
        raise BadFile(problems)
    return documents


class _Stop(Exception):
    """The document is not worth reading on; the problem is noted."""


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.places: dict[Field, tuple[int, int]] = {}
        self.problems: list[Problem] = []
        self._count = 0
        self._open: set[int] = set()

    def value(self, node: Any, field: Field) -> Any:
        try:
            return None if node is None else self._value(node, field)
        except _Stop:
            return None

    def _bad(self, node: Any, field: Field, message: str) -> None:
        place = Place(self.file, node.start_mark.line + 1, node.start_mark.column + 1)
        self.problems.append(Problem(place, show(field), message))

    def _value(self, node: Any, field: Field) -> Any:
        self._count += 1
        self.places.setdefault(field, (node.start_mark.line + 1, node.start_mark.column + 1))
        if self._count > MAX_NODES or len(field) > MAX_DEPTH or id(node) in self._open:
            why = "refers to itself" if id(node) in self._open else "is too deep" if len(field) > MAX_DEPTH \
                else f"has more than {MAX_NODES} values (aliases count each time)"
            self._bad(node, field, f"the document {why}")
            raise _Stop
        if node.id == "scalar":
            return self._scalar(node, field)
        self._open.add(id(node))
        try:
            if node.id == "sequence":
                self._collection(node, field, "seq")
                return [self._value(item, (*field, index)) for index, item in enumerate(node.value)]
            self._collection(node, field, "map")
            return self._mapping(node, field)
        finally:
            self._open.discard(id(node))

    def _collection(self, node: Any, field: Field, kind: str) -> None:
        if node.tag != _TAG + kind:
            self._bad(node, field, f"the tag {node.tag} has no meaning here")

    def _mapping(self, node: Any, field: Field) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _TAG + "merge":
                for part in self._merge_sources(value_node, field):
                    merged = self._value(part, field) | merged
                continue
            key = self._key(key_node, field)
            if key is None:
                continue
            inner = (*field, key)
            if key in result:
                line = self.places[inner][0]
                self._bad(key_node, inner, f'the key "{key}" is there already (line {line})')
                continue
            self.places[inner] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            result[key] = self._value(value_node, inner)
        return merged | result

    def _merge_sources(self, node: Any, field: Field) -> Iterator[Any]:
        for part in node.value if node.id == "sequence" else [node]:
            if part.id == "mapping":
                yield part
            else:
                self._bad(part, field, "`<<` takes a mapping")

    def _key(self, node: Any, field: Field) -> str | None:
        self._count += 1
        if node.id != "scalar" or node.tag == _TAG + "null":
            self._bad(node, field, "a key must be text")
            return None
        value = self._scalar(node, field)
        return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)

    def _scalar(self, node: Any, field: Field) -> Any:
        text = node.value
        kind = node.tag.removeprefix(_TAG)
        if kind in ("str", "timestamp", "value"):
            # Without a dot `1e3` is text for PyYAML, and a number for everybody else.
            return float(text) if not node.style and _EXPONENT.match(text) else text
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() in _TRUE if text.lower() in _TRUE + _FALSE else text
        if kind in ("int", "float"):
            if _INTEGER.match(text):
                return _integer(text.replace("_", ""))
            if _FLOAT.match(text) and math.isfinite(number := float(text.replace("_", ""))):
                return number
            if ":" in text:  # a number in base 60 for YAML 1.1, plain text for everybody else
                return text
        self._bad(node, field, f"{text!r} ({node.tag}) cannot be written as JSON")
        return None


def _integer(text: str) -> int:
    sign, digits = (-1, text[1:]) if text[0] == "-" else (1, text.lstrip("+"))
    if digits.startswith("0") and digits[1:].isdigit():
        return sign * int(digits, 8)
    return sign * int(digits, 0)

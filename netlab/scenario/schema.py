"""Shapes of values: what a field of a file may hold. Every mistake is noted with its place, none is raised."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from netlab.scenario.problems import Problem, near
from netlab.scenario.source import Document, Field

DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


class Notes:
    """The mistakes of one document, as they are found."""

    def __init__(self, document: Document, problems: list[Problem]) -> None:
        self.document = document
        self.problems = problems

    def wrong(self, where: Field, message: str) -> None:
        """Notes a mistake at a field."""
        self.problems.append(self.document.problem(where, message))


class Shape(Protocol):
    """One kind of value; `read` gives it as the program uses it."""

    def read(self, value: Any, where: Field, notes: Notes) -> Any:
        """The value; mistakes go into the notes (then the result is of no use)."""

    @property
    def called(self) -> str:
        """What a message calls it: `text`, `a number`."""


def check(shape: Shape, document: Document, problems: list[Problem]) -> Any:
    """The document's value as `shape` reads it; mistakes are added to `problems`."""
    return shape.read(document.value, (), Notes(document, problems))


def _mismatch(shape: Shape, value: Any, where: Field, notes: Notes) -> None:
    notes.wrong(where, f"must be {shape.called}, not {describe(value)}")


def describe(value: Any) -> str:
    """`the number 3`, `a list`: a value as a message names it."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f'the text "{value if len(value) <= 60 else value[:57] + "..."}"'
    return "a list" if isinstance(value, list) else "a mapping"


@dataclass(frozen=True)
class Anything:
    """Any value."""

    called: str = "anything"

    def read(self, value: Any, where: Field, notes: Notes) -> Any:
        return value


@dataclass(frozen=True)
class Text:
    """Text, of some choices or of a pattern (which `described` puts into words). Numbers count as text."""

    choices: tuple[str, ...] = ()
    pattern: str = ""
    described: str = ""
    called: str = "text"

    def read(self, value: Any, where: Field, notes: Notes) -> str:
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            _mismatch(self, value, where, notes)
            return ""
        if self.choices and value not in self.choices:
            notes.wrong(where, f'"{value}" is not one of the choices{near(value, self.choices)}')
        if self.pattern and not re.fullmatch(self.pattern, value):
            notes.wrong(where, f'must be {self.described}, not "{value}"')
        return value


@dataclass(frozen=True)
class Regex:
    """A regular expression, as text."""

    called: str = "a regular expression"

    def read(self, value: Any, where: Field, notes: Notes) -> str:
        if not isinstance(value, str):
            _mismatch(self, value, where, notes)
            return ""
        try:
            re.compile(value)
        except re.error as error:
            notes.wrong(where, f"not a regular expression: {error}")
        return value


@dataclass(frozen=True)
class Whole:
    """A whole number within bounds."""

    least: int = 0
    most: int = 1 << 31
    called: str = "a whole number"

    def read(self, value: Any, where: Field, notes: Notes) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            _mismatch(self, value, where, notes)
            return self.least
        if not self.least <= value <= self.most:
            notes.wrong(where, f"must be from {self.least} to {self.most}, not {value}")
        return value


@dataclass(frozen=True)
class Duration:
    """A time span with its unit, such as `500ms`, `10s`, `2m`; read as seconds."""

    called: str = "a time span with its unit, such as 500ms or 10s"

    def read(self, value: Any, where: Field, notes: Notes) -> float:
        match = DURATION.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            _mismatch(self, value, where, notes)
            return 0.0
        return float(match[1]) * _UNITS[match[2]]


@dataclass(frozen=True)
class Boolean:
    """true or false."""

    called: str = "true or false"

    def read(self, value: Any, where: Field, notes: Notes) -> bool:
        if not isinstance(value, bool):
            _mismatch(self, value, where, notes)
        return bool(value)


@dataclass(frozen=True)
class Many:
    """A list of values of one shape, with at least one."""

    item: Shape
    called: str = "a list"
    empty: bool = False

    def read(self, value: Any, where: Field, notes: Notes) -> tuple[Any, ...]:
        if not isinstance(value, list) or not (value or self.empty):
            _mismatch(self, value if value != [] else None, where, notes)
            return ()
        return tuple(self.item.read(item, (*where, index), notes) for index, item in enumerate(value))


@dataclass(frozen=True)
class OneOrMany:
    """One value or a list of them; read as a tuple."""

    item: Shape

    @property
    def called(self) -> str:
        return f"{self.item.called} or a list"

    def read(self, value: Any, where: Field, notes: Notes) -> tuple[Any, ...]:
        return Many(self.item).read(value, where, notes) if isinstance(value, list) else \
            (self.item.read(value, where, notes),)


@dataclass(frozen=True)
class Table:
    """A mapping with keys of the user's choice."""

    item: Shape
    called: str = "a mapping"

    def read(self, value: Any, where: Field, notes: Notes) -> dict[str, Any]:
        if not isinstance(value, dict) or not value:
            _mismatch(self, value or None, where, notes)
            return {}
        return {key: self.item.read(item, (*where, key), notes) for key, item in value.items()}


@dataclass(frozen=True)
class Record:
    """A mapping with known keys. Of `one_of` exactly one must be there."""

    fields: Mapping[str, Shape]
    required: Sequence[str] = ()
    one_of: Sequence[str] = ()
    called: str = "a mapping"

    def read(self, value: Any, where: Field, notes: Notes) -> dict[str, Any]:
        if not isinstance(value, dict):
            _mismatch(self, value, where, notes)
            return {}
        result = {}
        for key, item in value.items():
            shape = self.fields.get(key)
            if shape is None:
                notes.wrong((*where, key), f'unknown key "{key}"{near(key, list(self.fields))}')
            else:
                result[key] = shape.read(item, (*where, key), notes)
        for key in self.required:
            if key not in value:
                notes.wrong(where, f'the key "{key}" is missing')
        chosen = [key for key in self.one_of if key in value]
        if self.one_of and len(chosen) != 1:
            said = f", and it has {' and '.join(chosen)}" if chosen else ""
            if chosen or set(value) <= set(self.fields):  # a misspelt key is reported already
                notes.wrong(where, f"needs exactly one of {', '.join(self.one_of)}{said}")
        return result


@dataclass(frozen=True)
class Short:
    """A record that may be written as one value: that of its key `key`."""

    key: str
    record: Record
    called: str = field(default="a mapping or one value")

    def read(self, value: Any, where: Field, notes: Notes) -> dict[str, Any]:
        if isinstance(value, dict):
            return self.record.read(value, where, notes)
        return {self.key: self.record.fields[self.key].read(value, where, notes)}

"""Mistakes in files: where they are and what is wrong, all of a file at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from netlab.model.errors import LabError


class Place(NamedTuple):
    """A position in a file; line and column count from 1, and 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Problem(NamedTuple):
    """One mistake. `path` is the field, such as `steps[2].wait.ready`, "" for the document itself."""

    place: Place
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.path}: {self.message}" if self.path else f"{self.place}: {self.message}"


class BadFile(LabError):
    """A file that cannot be used, with every problem that it has. Exit code 2."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(map(str, self.problems)))


def near(word: str, names: Sequence[str]) -> str:
    """` (did you mean "x"?)` when one of the names is near, else ` (known: a, b)`."""
    import difflib

    found = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f' (did you mean "{found[0]}"?)' if found else f" (known: {', '.join(sorted(names))})"

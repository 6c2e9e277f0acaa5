"""nginx's configuration language: text to directives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(r"""
    (?P<space>\s+|\#[^\n]*) | (?P<mark>[{};]) | "(?P<double>(?:\\.|[^"\\])*)" | '(?P<single>(?:\\.|[^'\\])*)'
    | (?P<word>(?:\\.|\$\{[^}]*\}|[^\s;{}"'\\])(?:\\.|\$\{[^}]*\}|[^\s;{}\\])*)
""", re.VERBOSE | re.DOTALL)

_ESCAPES = {"t": "\t", "r": "\r", "n": "\n"}


class ConfigError(Exception):
    """What nginx says of a configuration that it does not take, without `nginx: [emerg] `."""


@dataclass(frozen=True)
class Directive:
    """`name args;` or `name args { block }`, with its place."""

    name: str
    args: tuple[str, ...]
    block: tuple[Directive, ...] = ()
    file: str = ""
    line: int = 0

    @property
    def place(self) -> str:
        """`FILE:LINE`, as nginx's messages end."""
        return f"{self.file}:{self.line}"

    def all(self, name: str) -> list[Directive]:
        """The directives of that name directly in the block."""
        return [one for one in self.block if one.name == name]

    def first(self, name: str, default: str = "") -> str:
        """The first argument of the last such directive in the block."""
        found = self.all(name)
        return found[-1].args[0] if found and found[-1].args else default


def parse(text: str, file: str) -> tuple[Directive, ...]:
    """The directives of a file. ConfigError in nginx's words."""
    tokens = list(_tokens(text, file))
    block, _ = _block(tokens, 0, file, depth=0)
    return block


def _tokens(text: str, file: str) -> Iterator[tuple[str, str, int]]:
    position, line = 0, 1
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ConfigError(f'unexpected end of file, expecting ";" or "}}" in {file}:{line}')
        kind = match.lastgroup or "space"
        if kind in ("double", "single"):
            yield "word", _unescape(match[kind]), line
        elif kind == "word":
            yield "word", _unescape(match["word"]), line
        elif kind == "mark":
            yield match["mark"], match["mark"], line
        line += match[0].count("\n")
        position = match.end()


def _unescape(text: str) -> str:
    """Without the backslashes that nginx takes away; others, such as those of expressions, stay."""
    return re.sub(r"\\([\"'\\trn])", lambda match: _ESCAPES.get(match[1], match[1]), text)


def _block(tokens: list[tuple[str, str, int]], start: int, file: str, *,
           depth: int) -> tuple[tuple[Directive, ...], int]:
    found: list[Directive] = []
    words: list[str] = []
    first = position = start
    while position < len(tokens):
        kind, text, line = tokens[position]
        position += 1
        if kind == "word":
            if not words:
                first = line
            words.append(text)
        elif kind == ";":
            if not words:
                raise ConfigError(f'unexpected ";" in {file}:{line}')
            found.append(Directive(words[0], tuple(words[1:]), (), file, first))
            words = []
        elif kind == "{":
            if not words:
                raise ConfigError(f'unexpected "{{" in {file}:{line}')
            inner, position = _block(tokens, position, file, depth=depth + 1)
            found.append(Directive(words[0], tuple(words[1:]), inner, file, first))
            words = []
        else:
            if words or depth == 0:
                raise ConfigError(f'unexpected "}}" in {file}:{line}')
            return tuple(found), position
    last = tokens[-1][2] if tokens else 1
    if words or depth:
        wanted = 'expecting ";" or "}"' if words else 'expecting "}"'
        raise ConfigError(f"unexpected end of file, {wanted} in {file}:{last}")
    return tuple(found), position

"""The Corefile's text as server blocks and directives: tokens, quotes, comments, `{$NAME}`, snippets and imports."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

ENVIRONMENT = re.compile(r"\{\$([^}]+)\}|\{%([^%}]+)%\}")
MAX_IMPORTS = 10_000  # tokens that imports may bring; a snippet that imports itself has more


class CorefileError(Exception):
    """The Corefile cannot be used; the text is what CoreDNS says."""


class Token(NamedTuple):
    """A word and where it stands."""

    text: str
    file: str
    line: int

    def error(self, text: str) -> CorefileError:
        """An error at this place."""
        return CorefileError(f"{self.file}:{self.line} - Error during parsing: {text}")

    def wrong_count(self) -> CorefileError:
        """Too few or too many words follow."""
        return self.error(f"Wrong argument count or unexpected line ending after '{self.text}'")


class Line(NamedTuple):
    """A directive's property: its name and what follows."""

    name: Token
    arguments: tuple[Token, ...]

    def one(self) -> str:
        """The only argument."""
        if len(self.arguments) != 1:
            raise (self.arguments[-1] if self.arguments else self.name).wrong_count()
        return self.arguments[0].text

    def some(self) -> tuple[str, ...]:
        """The arguments, at least one."""
        if not self.arguments:
            raise self.name.wrong_count()
        return tuple(token.text for token in self.arguments)

    def none(self) -> None:
        """There must be no arguments."""
        if self.arguments:
            raise self.arguments[-1].wrong_count()

    def unknown(self) -> CorefileError:
        """No such property exists."""
        return self.name.error(f"unknown property '{self.name.text}'")


class Directive(NamedTuple):
    """A plugin's name, its arguments and the lines of its block."""

    name: Token
    arguments: tuple[Token, ...]
    lines: tuple[Line, ...]

    def texts(self) -> tuple[str, ...]:
        """The arguments as texts."""
        return tuple(token.text for token in self.arguments)

    def wrong_count(self) -> CorefileError:
        """Too few or too many arguments."""
        return (self.arguments[-1] if self.arguments else self.name).wrong_count()


class Block(NamedTuple):
    """A server block: its keys (zones with ports) and directives in the order of the file."""

    keys: tuple[Token, ...]
    directives: tuple[Directive, ...]


def tokens(text: str, file: str, environment: Mapping[str, str] | None = None) -> list[Token]:
    """The words of a text; those of quotes are one, and `{$NAME}` is replaced by the variable's value or nothing."""

    def value(match: re.Match[str]) -> str:
        return (environment or {}).get(match[1] or match[2], "")

    found: list[Token] = []
    line, position = 1, 0
    while position < len(text):
        character = text[position]
        if character == "\n":
            line += 1
        if character.isspace():
            position += 1
        elif character == "#":
            position = text.find("\n", position) if "\n" in text[position:] else len(text)
        else:
            word, end = _quoted(text, position + 1) if character == '"' else _bare(text, position)
            found.append(Token(ENVIRONMENT.sub(value, word), file, line))
            line += text.count("\n", position, end)
            position = end
    return found


def _bare(text: str, start: int) -> tuple[str, int]:
    end = start
    while end < len(text) and not text[end].isspace():
        end += 1
    return text[start:end], end


def _quoted(text: str, start: int) -> tuple[str, int]:
    word, position = "", start
    while position < len(text) and text[position] != '"':
        if text[position] == "\\" and text[position + 1:position + 2] == '"':
            position += 1
        word += text[position]
        position += 1
    return word, position + 1


def parse(text: str, file: str, *, known: Iterable[str], environment: Mapping[str, str] | None = None,
          files: Callable[[str], Iterable[tuple[str, str]]] = lambda pattern: ()) -> tuple[Block, ...]:
    """The server blocks; CorefileError as CoreDNS words it. `files` gives path and text of what a pattern matches."""
    words = tokens(text, file, environment)
    return _Parser(words, frozenset(known), environment or {}, files, file).blocks()


@dataclass
class _Parser:
    words: list[Token]
    known: frozenset[str]
    environment: Mapping[str, str]
    files: Callable[[str], Iterable[tuple[str, str]]]
    file: str
    at: int = 0
    imported: int = 0
    snippets: dict[str, list[Token]] = field(default_factory=dict)

    def blocks(self) -> tuple[Block, ...]:
        found = []
        while self.at < len(self.words):
            keys = self._keys()
            name = keys[0].text if len(keys) == 1 else ""
            if name.startswith("(") and name.endswith(")"):
                if name in self.snippets:
                    raise keys[0].error(f"redeclaration of previously declared snippet {name[1:-1]}")
                self.snippets[name[1:-1]] = self._raw()
            elif keys:
                found.append(Block(tuple(keys), tuple(self._directives())))
        return tuple(found)

    def _next(self) -> Token:
        if self.at >= len(self.words):
            last = self.words[-1] if self.words else Token("", self.file, 1)
            raise last.error("Unexpected EOF")
        self.at += 1
        return self.words[self.at - 1]

    def _keys(self) -> list[Token]:
        keys: list[Token] = []
        while True:
            token = self._next()
            if token.text == "import" and not keys:
                self._import(token)
                return []
            if token.text == "{":
                if not keys:
                    raise token.error("Unexpected token '{', expecting a server block's zones")
                return keys
            text = token.text
            if text.endswith("{") and text != "{":
                raise token.error("Site addresses cannot end with a curly brace: put a space between the token "
                                  "and the brace")
            keys += [token._replace(text=part) for part in text.split(",") if part]

    def _raw(self) -> list[Token]:
        inside: list[Token] = []
        depth = 1
        while True:
            token = self._next()
            depth += (token.text == "{") - (token.text == "}")
            if not depth:
                return inside
            inside.append(token)

    def _import(self, token: Token) -> None:
        rest = self._rest(token)
        if len(rest) != 1:
            raise token.wrong_count()
        pattern = rest[0].text
        if pattern in self.snippets:
            brought = self.snippets[pattern]
        else:
            found = list(self.files(pattern))
            if not found and not any(c in pattern for c in "*?["):
                raise rest[0].error(f"File to import not found: {pattern}")
            brought = [word for path, text in found for word in tokens(text, path, self.environment)]
        self.imported += len(brought)
        if self.imported > MAX_IMPORTS:
            raise token.error("too many imports: does one import itself?")
        self.words[self.at:self.at] = brought

    def _rest(self, token: Token) -> list[Token]:
        """What follows on the token's line."""
        found: list[Token] = []
        while self.at < len(self.words) and self.words[self.at][1:] == token[1:] \
                and self.words[self.at].text not in ("{", "}"):
            found.append(self._next())
        return found

    def _directives(self) -> Iterable[Directive]:
        while (token := self._next()).text != "}":
            if token.text == "import":
                self._import(token)
                continue
            if token.text not in self.known:
                raise token.error(f"Unknown directive '{token.text}'")
            arguments, lines = self._rest(token), []
            if self._opens(token):
                while (name := self._next()).text != "}":
                    if name.text == "import":
                        self._import(name)
                        continue
                    if name.text == "{":
                        raise name.error("Unexpected token '{', expecting a property")
                    lines.append(Line(name, tuple(self._rest(name))))
            yield Directive(token, tuple(arguments), tuple(lines))

    def _opens(self, token: Token) -> bool:
        opened = self.at < len(self.words) and self.words[self.at].text == "{" and \
            self.words[self.at].line == token.line
        self.at += opened
        return opened

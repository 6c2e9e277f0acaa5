"""RESP 2, Redis' protocol, as clients and servers write and read it (the specification of that name)."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader

VERSION = "7.4.0"  # of Redis, whose commands these are
Command = list[bytes]
Reply = bytes
OK, NIL = b"+OK\r\n", b"$-1\r\n"
LONGEST = 512 * 1024 * 1024  # bytes of a text, upstream's limit


class Refused(Exception):
    """A command that fails; the text is the error reply."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


def encoded(command: Command) -> bytes:
    """A command as clients send it."""
    return b"*%d\r\n" % len(command) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in command)


def commands(file: BufferedReader) -> Iterator[Command]:
    """The commands that a client sends, as arrays of texts or as lines ("inline"). Refused when it is neither."""
    while line := file.readline(64 * 1024):
        if not line.startswith(b"*"):
            if words := line.split():
                yield words
            continue
        command = []
        for _ in range(_length(line, b"multibulk", 1024 * 1024)):
            head = file.readline(64)
            if not head.startswith(b"$"):
                raise Refused(b"ERR Protocol error: expected '$', got '%b'" % head[:1])
            length = _length(head, b"bulk", LONGEST)
            word = file.read(length + 2)
            if len(word) < length + 2:
                return
            command.append(word[:-2])
        if command:
            yield command


def _length(line: bytes, what: bytes, limit: int) -> int:
    digits = line[1:].strip()
    if not digits.isdigit() or int(digits) > limit:
        raise Refused(b"ERR Protocol error: invalid %b length" % what)
    return int(digits)


def bulk(text: bytes | None) -> Reply:
    """A text, or that there is none."""
    return NIL if text is None else b"$%d\r\n%b\r\n" % (len(text), text)


def number(value: int) -> Reply:
    """A whole number."""
    return b":%d\r\n" % value


def array(replies: list[Reply]) -> Reply:
    """A list of replies."""
    return b"*%d\r\n" % len(replies) + b"".join(replies)


def error(text: bytes) -> Reply:
    """A refusal."""
    return b"-%b\r\n" % text.replace(b"\r", b" ").replace(b"\n", b" ")

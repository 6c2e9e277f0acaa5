"""redis-cli: asks one command, or those on standard input, of a Redis, and prints replies as redis-cli does."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from io import BufferedReader
from typing import Any
from urllib.parse import urlsplit

from netlab.workloads.redis_protocol import VERSION, encoded

LIMIT = 10.0  # seconds to connect, and for a reply
_OPTIONS = {"-h": "host", "-p": "port", "-u": "uri", "-a": "password", "-n": "db"}


def main(args: list[str]) -> int:
    """Runs `redis-cli [-h HOST] [-p PORT] [-u URI] [COMMAND ...]`; 1 when the server cannot be reached or refuses."""
    chosen, words = {"host": "127.0.0.1", "port": "6379"}, list(args)
    while len(words) > 1 and words[0] in _OPTIONS:
        name = words.pop(0)
        chosen[_OPTIONS[name]] = words.pop(0)
    if words and words[0] in ("-v", "--version"):
        print(f"redis-cli {VERSION}", flush=True)
        return 0
    if words and words[0].startswith("-"):
        print(f"Unrecognized option or bad number of args for: '{words[0]}'", file=sys.stderr)
        return 1
    if "uri" in chosen:
        uri = urlsplit(chosen["uri"])
        chosen |= {"host": uri.hostname or chosen["host"], "port": str(uri.port or 6379)}
    host, port = chosen["host"], int(chosen["port"])
    try:
        with socket.create_connection((host, port), LIMIT) as connection, connection.makefile("rb") as file:
            asked = [words] if words else (shlex.split(line) for line in sys.stdin)
            codes = [_ask(connection, file, command) for command in asked if command]
            return max(codes, default=0) if words else 0
    except OSError as error:
        text = os.strerror(error.errno) if isinstance(error.errno, int) and error.errno > 0 else str(error)
        print(f"Could not connect to Redis at {host}:{port}: {text}", file=sys.stderr)
        return 1


def call(host: str, port: int, *words: str) -> Any:
    """The value of the reply to one command. OSError when nobody answers, or with the text of an error reply."""
    with socket.create_connection((host, port), LIMIT) as connection, connection.makefile("rb") as file:
        connection.sendall(encoded([word.encode(errors="surrogateescape") for word in words]))
        kind, value = _reply(file)
    if kind == "-":
        raise OSError(str(value))
    return value


def _ask(connection: socket.socket, file: BufferedReader, command: list[str]) -> int:
    connection.sendall(encoded([word.encode(errors="surrogateescape") for word in command]))
    kind, value = _reply(file)
    print(_shown(kind, value, plain=not sys.stdout.isatty()), flush=True)
    return int(kind == "-")


def _reply(file: BufferedReader) -> tuple[str, Any]:
    line = file.readline()
    if not line:
        raise ConnectionResetError("Server closed the connection")
    kind, rest = chr(line[0]), line[1:-2]
    if kind == "$":
        length = int(rest)
        return kind, None if length < 0 else file.read(length + 2)[:-2].decode(errors="replace")
    if kind == "*":
        return kind, [_reply(file) for _ in range(int(rest))]
    return kind, rest.decode(errors="replace")


def _shown(kind: str, value: Any, *, plain: bool) -> str:
    if kind == "*":
        lines = [_shown(*item, plain=plain) for item in value]
        if plain:
            return "\n".join(lines)
        return "\n".join(f"{number}) {line}" for number, line in enumerate(lines, 1)) or "(empty array)"
    if value is None:
        return "" if plain else "(nil)"
    if plain or kind == "+":
        return str(value)
    quoted = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return {":": f"(integer) {value}", "-": f"(error) {value}"}.get(kind, f'"{quoted}"')

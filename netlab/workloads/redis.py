"""A small Redis: texts, counters and lists, in the protocol RESP 2, for machines that have no redis-server.

What it does not know it refuses as Redis does. Nothing is kept when it ends, and there are no replicas.
Source: the Redis serialization protocol specification, and the command reference.
"""

from __future__ import annotations

import fnmatch
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from io import BufferedReader
from itertools import pairwise

from netlab.workloads.serving import Server, run_until_term

Reply = bytes
Value = bytes | list[bytes]
OK, NIL = b"+OK\r\n", b"$-1\r\n"
VERSION = "7.4.0"
LONGEST = 512 * 1024 * 1024  # bytes of a text, upstream's limit
WRONG_TYPE = b"WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_A_NUMBER = b"ERR value is not an integer or out of range"


class Refused(Exception):
    """A command that fails; the text is the error reply."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


def main(args: list[str]) -> int:
    """Serves until SIGTERM on `--port`, 6379 by default; other options of redis-server are taken and ignored."""
    port = 6379
    for name, value in pairwise(args):
        if name == "--port" and value.isdigit():
            port = int(value)
    server, data = Server(), Database()
    server.tcp(port, lambda connection: serve(connection, data))
    return run_until_term(server, f"* Ready to accept connections tcp (port {port})")


class Database:
    """The keys and their values; one lock, since each connection has a thread."""

    def __init__(self) -> None:
        self.values: dict[bytes, Value] = {}
        self.ends: dict[bytes, float] = {}  # when a key expires (monotonic)
        self.lock = threading.Lock()
        self.started = time.monotonic()

    def answer(self, command: list[bytes]) -> Reply:
        """The reply to a command."""
        name, args = command[0].upper(), command[1:]
        found = _COMMANDS.get(name)
        if found is None:
            shown = b" ".join(b"'%b'" % word[:128] for word in args[:20])
            return _error(b"ERR unknown command '%b', with args beginning with: %b" % (command[0][:128], shown))
        least, most, act = found
        if len(args) < least or (most is not None and len(args) > most):
            return _error(b"ERR wrong number of arguments for '%b' command" % name.lower())
        with self.lock:
            self._expire()
            try:
                return act(self, args)
            except Refused as refusal:
                return _error(refusal.text)

    def _expire(self) -> None:
        now = time.monotonic()
        for key in [key for key, end in self.ends.items() if end <= now]:
            del self.ends[key]
            self.values.pop(key, None)

    def text(self, key: bytes) -> bytes | None:
        """The text at a key."""
        value = self.values.get(key)
        if isinstance(value, list):
            raise Refused(WRONG_TYPE)
        return value

    def items(self, key: bytes) -> list[bytes]:
        """The list at a key, empty when there is none."""
        value = self.values.get(key, [])
        if not isinstance(value, list):
            raise Refused(WRONG_TYPE)
        return value


def _set(data: Database, args: list[bytes]) -> Reply:
    key, value, *options = args
    end, wanted = None, [option.upper() for option in options]
    if wanted and wanted[0] in (b"EX", b"PX") and len(wanted) > 1:
        end = time.monotonic() + _integer(wanted[1]) / (1 if wanted[0] == b"EX" else 1000)
        wanted = wanted[2:]
    if wanted not in ([], [b"NX"], [b"XX"]):
        raise Refused(b"ERR syntax error")
    if wanted and (key in data.values) == (wanted == [b"NX"]):
        return NIL
    data.values[key] = value
    data.ends.pop(key, None)
    if end is not None:
        data.ends[key] = end
    return OK


def _delete(data: Database, args: list[bytes]) -> Reply:
    for key in args:
        data.ends.pop(key, None)
    return _number(sum(data.values.pop(key, None) is not None for key in args))


def _add(data: Database, key: bytes, amount: int) -> Reply:
    value = _integer(data.text(key) or b"0") + amount
    data.values[key] = b"%d" % value
    return _number(value)


def _push(data: Database, args: list[bytes], *, left: bool) -> Reply:
    items = data.items(args[0])
    for item in args[1:]:
        items.insert(0 if left else len(items), item)
    data.values[args[0]] = items
    return _number(len(items))


def _pop(data: Database, args: list[bytes], *, left: bool) -> Reply:
    items = data.items(args[0])
    if not items:
        return NIL
    item = items.pop(0 if left else -1)
    if not items:
        _delete(data, args)
    return _bulk(item)


def _range(data: Database, args: list[bytes]) -> Reply:
    items, (first, last) = data.items(args[0]), (_integer(word) for word in args[1:])
    first, last = (max(0, place + len(items)) if place < 0 else place for place in (first, last + 1 or len(items)))
    return _array([_bulk(item) for item in items[first:last]])


def _expire(data: Database, args: list[bytes]) -> Reply:
    if args[0] in data.values:
        data.ends[args[0]] = time.monotonic() + _integer(args[1])
    return _number(args[0] in data.values)


def _seconds_left(data: Database, args: list[bytes]) -> Reply:
    if args[0] not in data.values:
        return _number(-2)
    return _number(round(data.ends[args[0]] - time.monotonic()) if args[0] in data.ends else -1)


def _keys(data: Database, args: list[bytes]) -> Reply:
    pattern = args[0].decode(errors="replace")
    return _array([_bulk(key) for key in sorted(data.values)
                   if fnmatch.fnmatchcase(key.decode(errors="replace"), pattern)])


def _type(data: Database, args: list[bytes]) -> Reply:
    value = data.values.get(args[0])
    return b"+none\r\n" if value is None else b"+list\r\n" if isinstance(value, list) else b"+string\r\n"


def _flush(data: Database, args: list[bytes]) -> Reply:
    data.values.clear()
    data.ends.clear()
    return OK


def _info(data: Database, args: list[bytes]) -> Reply:
    lines = ["# Server", f"redis_version:{VERSION}", "redis_mode:standalone",
             f"uptime_in_seconds:{int(time.monotonic() - data.started)}", "# Replication", "role:master",
             "connected_slaves:0", "# Keyspace"]
    if data.values:
        lines.append(f"db0:keys={len(data.values)},expires={len(data.ends)},avg_ttl=0")
    return _bulk("".join(f"{line}\r\n" for line in lines).encode())


def _select(data: Database, args: list[bytes]) -> Reply:
    if _integer(args[0]) != 0:
        raise Refused(b"ERR DB index is out of range")  # there is the first database alone
    return OK


Act = Callable[[Database, list[bytes]], Reply]
_COMMANDS: dict[bytes, tuple[int, int | None, Act]] = {
    b"PING": (0, 1, lambda data, args: _bulk(args[0]) if args else b"+PONG\r\n"),
    b"ECHO": (1, 1, lambda data, args: _bulk(args[0])),
    b"GET": (1, 1, lambda data, args: _bulk(data.text(args[0]))),
    b"SET": (2, None, _set),
    b"DEL": (1, None, _delete),
    b"EXISTS": (1, None, lambda data, args: _number(sum(key in data.values for key in args))),
    b"INCR": (1, 1, lambda data, args: _add(data, args[0], 1)),
    b"DECR": (1, 1, lambda data, args: _add(data, args[0], -1)),
    b"INCRBY": (2, 2, lambda data, args: _add(data, args[0], _integer(args[1]))),
    b"LPUSH": (2, None, lambda data, args: _push(data, args, left=True)),
    b"RPUSH": (2, None, lambda data, args: _push(data, args, left=False)),
    b"LPOP": (1, 1, lambda data, args: _pop(data, args, left=True)),
    b"RPOP": (1, 1, lambda data, args: _pop(data, args, left=False)),
    b"LLEN": (1, 1, lambda data, args: _number(len(data.items(args[0])))),
    b"LRANGE": (3, 3, _range),
    b"EXPIRE": (2, 2, _expire),
    b"TTL": (1, 1, _seconds_left),
    b"KEYS": (1, 1, _keys),
    b"TYPE": (1, 1, _type),
    b"DBSIZE": (0, 0, lambda data, args: _number(len(data.values))),
    b"FLUSHALL": (0, 1, _flush),
    b"FLUSHDB": (0, 1, _flush),
    b"INFO": (0, None, _info),
    b"SELECT": (1, 1, _select),
    b"QUIT": (0, 0, lambda data, args: OK),
}


def serve(connection: socket.socket, data: Database) -> None:
    """Answers the commands of a connection until its client goes or says QUIT."""
    with connection.makefile("rb") as file:
        try:
            for command in commands(file):
                connection.sendall(data.answer(command))
                if command[0].upper() == b"QUIT":
                    return
        except Refused as refusal:
            connection.sendall(_error(refusal.text))


def commands(file: BufferedReader) -> Iterator[list[bytes]]:
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


def _integer(word: bytes) -> int:
    if not word.removeprefix(b"-").isdigit() or len(word) > 19:
        raise Refused(NOT_A_NUMBER)
    return int(word)


def _bulk(text: bytes | None) -> Reply:
    return NIL if text is None else b"$%d\r\n%b\r\n" % (len(text), text)


def _number(value: int) -> Reply:
    return b":%d\r\n" % value


def _array(replies: list[Reply]) -> Reply:
    return b"*%d\r\n" % len(replies) + b"".join(replies)


def _error(text: bytes) -> Reply:
    return b"-%b\r\n" % text.replace(b"\r", b" ").replace(b"\n", b" ")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

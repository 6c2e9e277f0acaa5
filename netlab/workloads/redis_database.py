"""What the small Redis keeps, and what its commands do with it (the command reference)."""

from __future__ import annotations

import fnmatch
import socket
import threading
import time
from collections.abc import Callable

from netlab.workloads.redis_protocol import NIL, OK, VERSION, Refused, Reply, array, bulk, commands, error, number
from netlab.workloads.redis_replication import READ_ONLY, WRITES, Followers, Following, dump

Value = bytes | list[bytes]
WRONG_TYPE = b"WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_A_NUMBER = b"ERR value is not an integer or out of range"


class Database:
    """The keys and their values; one lock, since each connection has a thread."""

    def __init__(self) -> None:
        self.values: dict[bytes, Value] = {}
        self.ends: dict[bytes, float] = {}  # when a key expires (monotonic)
        self.lock = threading.RLock()
        self.started = time.monotonic()
        self.followers = Followers()
        self.leader: Following | None = None

    def follow(self, host: str, port: int) -> None:
        """Becomes a follower of that Redis; of none, and its own master, with an empty host."""
        if self.leader:
            self.leader.stop()
        self.leader = Following(host, port, self.apply, commands) if host else None

    def synchronize(self, connection: socket.socket) -> None:
        """Has the client of the connection know all keys, and every write from now on."""
        with self.lock:
            now = time.monotonic()
            self.followers.add(connection, list(dump(
                self.values, lambda key: self.ends[key] - now if key in self.ends else None)))

    def apply(self, command: list[bytes]) -> Reply:
        """The reply to a command of the leader."""
        return self._act(command)

    def answer(self, command: list[bytes]) -> Reply:
        """The reply to a command of a client."""
        if self.leader and command[0].upper() in WRITES:
            return error(READ_ONLY)
        return self._act(command)

    def _act(self, command: list[bytes]) -> Reply:
        name, args = command[0].upper(), command[1:]
        found = _COMMANDS.get(name)
        if found is None:
            shown = b" ".join(b"'%b'" % word[:128] for word in args[:20])
            return error(b"ERR unknown command '%b', with args beginning with: %b" % (command[0][:128], shown))
        least, most, act = found
        if len(args) < least or (most is not None and len(args) > most):
            return error(b"ERR wrong number of arguments for '%b' command" % name.lower())
        with self.lock:
            self._expire()
            try:
                reply = act(self, args)
            except Refused as refusal:
                return error(refusal.text)
            if name in WRITES:
                self.followers.tell(command)
            return reply

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
    return number(sum(data.values.pop(key, None) is not None for key in args))


def _add(data: Database, key: bytes, amount: int) -> Reply:
    value = _integer(data.text(key) or b"0") + amount
    data.values[key] = b"%d" % value
    return number(value)


def _push(data: Database, args: list[bytes], *, left: bool) -> Reply:
    items = data.items(args[0])
    for item in args[1:]:
        items.insert(0 if left else len(items), item)
    data.values[args[0]] = items
    return number(len(items))


def _pop(data: Database, args: list[bytes], *, left: bool) -> Reply:
    items = data.items(args[0])
    if not items:
        return NIL
    item = items.pop(0 if left else -1)
    if not items:
        _delete(data, args)
    return bulk(item)


def _range(data: Database, args: list[bytes]) -> Reply:
    items, (first, last) = data.items(args[0]), (_integer(word) for word in args[1:])
    first, last = (max(0, place + len(items)) if place < 0 else place for place in (first, last + 1 or len(items)))
    return array([bulk(item) for item in items[first:last]])


def _expire(data: Database, args: list[bytes]) -> Reply:
    if args[0] in data.values:
        data.ends[args[0]] = time.monotonic() + _integer(args[1])
    return number(args[0] in data.values)


def _seconds_left(data: Database, args: list[bytes]) -> Reply:
    if args[0] not in data.values:
        return number(-2)
    return number(round(data.ends[args[0]] - time.monotonic()) if args[0] in data.ends else -1)


def _keys(data: Database, args: list[bytes]) -> Reply:
    pattern = args[0].decode(errors="replace")
    return array([bulk(key) for key in sorted(data.values)
                   if fnmatch.fnmatchcase(key.decode(errors="replace"), pattern)])


def _type(data: Database, args: list[bytes]) -> Reply:
    value = data.values.get(args[0])
    return b"+none\r\n" if value is None else b"+list\r\n" if isinstance(value, list) else b"+string\r\n"


def _flush(data: Database, args: list[bytes]) -> Reply:
    data.values.clear()
    data.ends.clear()
    return OK


def _info(data: Database, args: list[bytes]) -> Reply:
    replicas, leader = data.followers.addresses(), data.leader
    shown = [f"slave{number}:ip={address},port=6379,state=online" for number, address in enumerate(replicas)]
    led = [f"master_host:{leader.host}", f"master_port:{leader.port}",
           f"master_link_status:{'up' if leader.up else 'down'}"] if leader else []
    sections = {
        "Server": [f"redis_version:{VERSION}", "redis_mode:standalone",
                   f"uptime_in_seconds:{int(time.monotonic() - data.started)}"],
        "Replication": [f"role:{'slave' if leader else 'master'}", *led, f"connected_slaves:{len(replicas)}", *shown],
        "Keyspace": [f"db0:keys={len(data.values)},expires={len(data.ends)},avg_ttl=0"] if data.values else [],
    }
    wanted = {word.decode(errors="replace").lower() for word in args} - {"all", "default", "everything"}
    texts = ["".join(f"{line}\r\n" for line in (f"# {title}", *lines)) for title, lines in sections.items()
             if not wanted or title.lower() in wanted]
    return bulk("\r\n".join(texts).encode())


def _replicaof(data: Database, args: list[bytes]) -> Reply:
    host, port = (word.decode(errors="replace") for word in args)
    if (host.lower(), port.lower()) == ("no", "one"):
        data.follow("", 0)
        return OK
    data.follow(host, _integer(args[1]))
    return OK


def _role(data: Database, args: list[bytes]) -> Reply:
    if data.leader:
        state = b"connected" if data.leader.up else b"connect"
        return array([bulk(b"slave"), bulk(data.leader.host.encode()), number(data.leader.port), bulk(state),
                       number(0)])
    followers = [array([bulk(address.encode()), bulk(b"6379"), bulk(b"0")])
                 for address in data.followers.addresses()]
    return array([bulk(b"master"), number(0), array(followers)])


def _select(data: Database, args: list[bytes]) -> Reply:
    if _integer(args[0]) != 0:
        raise Refused(b"ERR DB index is out of range")  # there is the first database alone
    return OK


Act = Callable[[Database, list[bytes]], Reply]
_COMMANDS: dict[bytes, tuple[int, int | None, Act]] = {
    b"PING": (0, 1, lambda data, args: bulk(args[0]) if args else b"+PONG\r\n"),
    b"ECHO": (1, 1, lambda data, args: bulk(args[0])),
    b"GET": (1, 1, lambda data, args: bulk(data.text(args[0]))),
    b"SET": (2, None, _set),
    b"DEL": (1, None, _delete),
    b"EXISTS": (1, None, lambda data, args: number(sum(key in data.values for key in args))),
    b"INCR": (1, 1, lambda data, args: _add(data, args[0], 1)),
    b"DECR": (1, 1, lambda data, args: _add(data, args[0], -1)),
    b"INCRBY": (2, 2, lambda data, args: _add(data, args[0], _integer(args[1]))),
    b"LPUSH": (2, None, lambda data, args: _push(data, args, left=True)),
    b"RPUSH": (2, None, lambda data, args: _push(data, args, left=False)),
    b"LPOP": (1, 1, lambda data, args: _pop(data, args, left=True)),
    b"RPOP": (1, 1, lambda data, args: _pop(data, args, left=False)),
    b"LLEN": (1, 1, lambda data, args: number(len(data.items(args[0])))),
    b"LRANGE": (3, 3, _range),
    b"EXPIRE": (2, 2, _expire),
    b"TTL": (1, 1, _seconds_left),
    b"KEYS": (1, 1, _keys),
    b"TYPE": (1, 1, _type),
    b"DBSIZE": (0, 0, lambda data, args: number(len(data.values))),
    b"FLUSHALL": (0, 1, _flush),
    b"FLUSHDB": (0, 1, _flush),
    b"INFO": (0, None, _info),
    b"SELECT": (1, 1, _select),
    b"REPLICAOF": (2, 2, _replicaof),
    b"SLAVEOF": (2, 2, _replicaof),
    b"ROLE": (0, 0, _role),
    b"QUIT": (0, 0, lambda data, args: OK),
}


def _integer(word: bytes) -> int:
    if not word.removeprefix(b"-").isdigit() or len(word) > 19:
        raise Refused(NOT_A_NUMBER)
    return int(word)

"""Responses as bytes by the bytes of their requests, forgotten exactly when what they were made from changes.

A request's key is everything but its ID, so a response always fits: its flags, its EDNS size, its name's case. Most
keys are asked for once and never again (random names, odd options): of what is new only a fingerprint is noted, and
a response is kept when its key comes again. So a flood costs nothing, and empties nothing.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from itertools import islice

from netlab.dns.packing import Packed
from netlab.dns.view import Tag

KEPT = 32_768  # entries
KEPT_BYTES = 24 << 20
NOTED = 1 << 17  # fingerprints, in pairs of places: the third of a pair replaces the first
BATCH = 64  # entries that are looked at together when there is no room: others wait meanwhile
LOOKS = 8  # batches, until some go although all are asked for
KINDS = 1_000
MAX_KEY = 300  # bytes: a name of full length with its OPT record
OVERHEAD = 600  # bytes of an entry besides its messages, roughly
SCAN = 1_000  # tags: when more are touched at once, forgetting everything is cheaper


class Entry:
    """A response without its ID: `wire`, or, when that is None, what `current` makes anew each time."""

    __slots__ = ("_packed", "_serial", "_turn", "caseless", "hits", "kind", "seen", "size", "tags", "wire")

    def __init__(self, packed: Packed, tags: frozenset[Tag] | None, *, caseless: bool = False,
                 kind: object = None) -> None:
        changing = bool(packed.ring or packed.serial_at)
        self._packed = packed if changing else None
        self._serial = 0
        self._turn = 0
        self.wire = None if changing else packed.head[2:]
        self.tags = None if tags is None else tuple(tags)  # of texts: the garbage collector passes over it
        self.caseless = caseless  # it fits a name in any case
        self.kind = kind  # the caller's; says what was answered
        self.hits = 0
        self.seen = 0  # hits when it was last looked at to make room
        self.size = len(packed.head) + len(packed.ring) + len(packed.tail) + OVERHEAD

    def current(self, serial: int) -> bytes:
        """The response without its ID, its addresses in the next order or with the serial of now."""
        packed = self._packed
        assert packed is not None
        if packed.ring:
            start = self._turn = (self._turn + packed.step) % (len(packed.ring) >> 1)
            return packed.head[2:] + packed.ring[start:start + packed.shown] + packed.tail
        if serial != self._serial:
            at = packed.serial_at
            packed.head = packed.head[:at] + (serial & 0xFFFFFFFF).to_bytes(4, "big") + packed.head[at + 4:]
            self._serial = serial
        return packed.head[2:]


class WireCache:
    """Entries by key. One thread may read `kept` while others, each alone, change it."""

    def __init__(self) -> None:
        self.kept: dict[bytes, Entry] = {}
        self._noted = array("q", bytes(8 * NOTED))
        self._keys: dict[Tag, set[bytes]] = {}
        self._bytes = 0
        self._anything: set[bytes] = set()  # keys of answers that any change may change
        self._kinds: dict[object, object] = {}  # each once, of all entries that have it
        self._lost: dict[object, int] = {}  # hits of entries that are forgotten, by kind

    def __len__(self) -> int:
        return len(self.kept)

    def wanted(self, key: bytes) -> bool:
        """Whether the key came before, as far as that is known; it is noted. From any thread."""
        fingerprint = hash(key)  # another in each process, so that nobody can choose what replaces what
        noted, place = self._noted, fingerprint & NOTED - 2
        if fingerprint in (noted[place], noted[place + 1]):
            return len(key) <= MAX_KEY
        noted[place + 1] = noted[place]
        noted[place] = fingerprint
        return False

    def put(self, key: bytes, entry: Entry) -> None:
        """A new entry; what is asked for least makes room for it."""
        self._drop([key] if key in self.kept else [])
        while self.kept and (len(self.kept) >= KEPT or self._bytes + entry.size > KEPT_BYTES):
            self._make_room()
        if len(self._kinds) >= KINDS:
            self._kinds.clear()
        entry.kind = self._kinds.setdefault(entry.kind, entry.kind)
        self.kept[key] = entry
        self._bytes += entry.size
        if entry.tags is None:
            self._anything.add(key)
        named = {space for space, name in entry.tags or () if name}
        for tag in entry.tags or ():
            if tag[1] or tag[0] not in named:  # a Namespace finds the answers of its Services by their tags
                self._keys.setdefault(tag, set()).add(key)

    def _make_room(self) -> None:
        """Of those that stand there longest, the ones that were not asked for lately go; the others stay once more."""
        for _ in range(LOOKS):
            idle = []
            for key in list(islice(self.kept, BATCH)):
                entry = self.kept[key]
                if entry.hits == entry.seen:
                    idle.append(key)
                else:
                    entry.seen = entry.hits
                    self.kept[key] = self.kept.pop(key)  # the last from now on
            if idle:
                self._drop(idle)
                return
        self._drop(list(islice(self.kept, BATCH)))

    def forget(self, touched: frozenset[Tag] | None) -> None:
        """Forgets what depends on one of the tags; everything when they are None."""
        if touched is None or len(touched) > SCAN:
            self.clear()
            return
        spaces = {namespace for namespace, name in touched if not name}
        if spaces:
            touched = touched.union(tag for tag in self._keys if tag[0] in spaces)
        self._drop(key for tag in touched if tag in self._keys for key in list(self._keys.get(tag, ())))
        self._drop(list(self._anything))

    def clear(self) -> None:
        """Forgets everything."""
        self._drop(list(self.kept))

    def hits(self) -> dict[object, int]:
        """How often entries of each kind answered since the last call; those without a kind are not counted."""
        found, self._lost = self._lost, {}
        for entry in self.kept.values():
            if entry.hits and entry.kind is not None:
                found[entry.kind] = found.get(entry.kind, 0) + entry.hits
                entry.hits = entry.seen = 0
        return found

    def _drop(self, keys: Iterable[bytes]) -> None:
        for key in keys:
            entry = self.kept.pop(key, None)
            if entry is None:
                continue
            self._bytes -= entry.size
            self._anything.discard(key)
            for tag in entry.tags or ():
                if tag in self._keys:
                    self._keys[tag].discard(key)
                    if not self._keys[tag]:
                        del self._keys[tag]
            if entry.hits and entry.kind is not None:
                self._lost[entry.kind] = self._lost.get(entry.kind, 0) + entry.hits

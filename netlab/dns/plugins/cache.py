"""`cache`: answers are kept for their time to live, or less."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from netlab.dns.answer import Answer
from netlab.dns.chain import Handler, Plugin, Request
from netlab.dns.corefile import CorefileError, Directive, Line
from netlab.dns.names import Name, longest
from netlab.dns.plugins.setup import Scope, duration, integer, only, zones
from netlab.dns.records import Record

SUCCESS, DENIAL = "success", "denial"
MAX_TTL, MIN_TTL, FAILURE_TTL, CAPACITY = 3600, 5, 5, 9984  # seconds and entries
MAX_FAILURE_TTL = 300
DAY = 86400.0

Key = tuple[Name, int, bool, bool]


@dataclass(frozen=True)
class Kept:
    """An answer and since when it is there."""

    answer: Answer
    ttl: int
    since: float


@dataclass
class Store:
    """The answers of one class and what became of the questions; the oldest answer makes room for a new one."""

    capacity: int
    kept: dict[Key, Kept] = field(default_factory=dict)
    hits: int = 0
    evictions: int = 0
    stale: int = 0

    def put(self, key: Key, kept: Kept) -> None:
        """Keeps the answer."""
        self.kept.pop(key, None)
        while len(self.kept) >= max(1, self.capacity):
            oldest = next(iter(self.kept), None)
            if oldest is None or self.kept.pop(oldest, None) is None:
                break
            self.evictions += 1
        self.kept[key] = kept


@dataclass(frozen=True)
class Limits:
    """Of one class: entries, and the seconds that an answer is kept at most and at least."""

    capacity: int = CAPACITY
    ttl: int = MAX_TTL
    least: int = MIN_TTL
    excepted: tuple[Name, ...] = ()


@dataclass(frozen=True)
class Cache(Plugin):
    """The zones and what applies in them. `stale`: seconds that an answer may be used after its time."""

    name = "cache"
    zones: tuple[Name, ...]
    success: Limits = Limits()
    denial: Limits = Limits(ttl=MAX_TTL // 2)
    failure_ttl: int = FAILURE_TTL
    stale: float = 0.0
    verify: bool = False
    keep_ttl: bool = False
    stores: dict[str, Store] = field(default_factory=dict, compare=False)
    misses: list[int] = field(default_factory=lambda: [0], compare=False)

    def __post_init__(self) -> None:
        self.stores.update({SUCCESS: Store(self.success.capacity), DENIAL: Store(self.denial.capacity)})

    async def serve(self, request: Request, next: Handler) -> Answer:
        """The kept answer with what is left of its time, or the next plugin's."""
        name = request.question.name
        if longest(name, self.zones) is None:
            return await next(request)
        if self._never(name):
            self.misses[0] += 1
            return self._limited(await next(request))
        key = (name.lower(), request.type, request.dnssec_ok, request.checking_disabled)
        found, left = self._find(key, request.now)
        if found and left > 0:
            return _aged(found.answer, found.ttl if self.keep_ttl else left, request)
        self.misses[0] += 1
        answer = await next(request)
        if found and answer.rcode not in ("NOERROR", "NXDOMAIN"):
            self.stores[SUCCESS].stale += 1
            return _aged(found.answer, 0, request)
        return self._keep(answer, key, request)

    def _never(self, name: Name) -> bool:
        """Whether nothing is kept of the name, as of the cluster's own names with kubeadm's Corefile."""
        success, denial = self.success.excepted, self.denial.excepted
        return bool(success and denial) and longest(name, success) is not None and (
            success == denial or longest(name, denial) is not None)

    def _limited(self, answer: Answer) -> Answer:
        """The answer with the time to live that it would have here."""
        found = self._class(answer)
        return answer if found is None else _with_ttl(answer, found[2])

    def _find(self, key: Key, now: float) -> tuple[Kept | None, int]:
        for store in (self.stores[DENIAL], self.stores[SUCCESS]):
            kept = store.kept.get(key)
            if kept is None:
                continue
            left = kept.ttl - int(now - kept.since)
            if left > 0:
                store.hits += 1
                return kept, left
            if store is self.stores[SUCCESS] and left > -self.stale:
                return kept, left
            store.kept.pop(key, None)
        return None, 0

    def _keep(self, answer: Answer, key: Key, request: Request) -> Answer:
        found = self._class(answer)
        if found is None:
            return answer
        kind, limits, ttl = found
        if not answer.truncated and ttl > 0 and longest(request.question.name, limits.excepted) is None:
            self.stores[kind].put(key, Kept(answer, ttl, request.now))
            answer = answer._replace(keep=False)
        return _with_ttl(answer, ttl)

    def _class(self, answer: Answer) -> tuple[str, Limits, int] | None:
        """(class, its limits, seconds to keep), None for what is never kept."""
        if answer.rcode == "SERVFAIL" and not answer.error:
            return DENIAL, self.denial, self.failure_ttl
        if answer.rcode not in ("NOERROR", "NXDOMAIN"):
            return None
        records = answer.answer + answer.authority + answer.additional
        denied = answer.rcode == "NXDOMAIN" or not (
            answer.answer or "NS" in [record.type for record in answer.authority])
        kind, limits = (DENIAL, self.denial) if denied else (SUCCESS, self.success)
        least = min([_ttl(record) for record in records], default=MIN_TTL)
        return kind, limits, min(max(least, limits.least), limits.ttl)


def _ttl(record: Record) -> int:
    last = record.data[-1] if record.type == "SOA" else record.ttl
    return min(record.ttl, last) if isinstance(last, int) else record.ttl


def _with_ttl(answer: Answer, ttl: int) -> Answer:
    if {record.ttl for record in answer.answer + answer.authority + answer.additional} <= {ttl}:
        return answer

    def aged(records: tuple[Record, ...]) -> tuple[Record, ...]:
        return tuple(record._replace(ttl=ttl) for record in records)

    return answer._replace(answer=aged(answer.answer), authority=aged(answer.authority),
                   additional=aged(answer.additional))


def _aged(answer: Answer, ttl: int, request: Request) -> Answer:
    """The kept answer in the case of the question. It counts as authoritative: some clients want nothing else."""
    asked = request.question.name
    same = asked.lower()

    def cased(records: tuple[Record, ...]) -> tuple[Record, ...]:
        return tuple(r._replace(ttl=ttl, name=asked if r.name.lower() == same else r.name) for r in records)

    return answer._replace(answer=cased(answer.answer), authority=cased(answer.authority),
                   additional=cased(answer.additional), authoritative=True, keep=False, by="cache",
                   authentic=answer.authentic and request.dnssec_ok)


def setup(directives: tuple[Directive, ...], scope: Scope) -> tuple[Plugin, ...]:
    """From the Corefile."""
    directive = only("cache", directives)
    words = list(directive.texts())
    limits = {SUCCESS: Limits(), DENIAL: Limits(ttl=MAX_TTL // 2)}
    if words and words[0].lstrip("+-").isdigit():
        ttl = _ttl_of(words.pop(0))
        limits = {kind: replace(limit, ttl=ttl) for kind, limit in limits.items()}
    named = zones(words) or scope.zones
    options: dict[str, object] = {}
    for line in directive.lines:
        match line.name.text:
            case ("success" | "denial") as kind:
                limits[kind] = _limits(line, limits[kind])
            case "disable":
                which, *rest = line.some()
                if which not in limits:
                    raise CorefileError(f'cache type for disable must be "success" or "denial": "{which}"')
                limits[which] = replace(limits[which], excepted=zones(rest) or scope.zones)
            case _:
                options |= _option(line)
    return (Cache(named, limits[SUCCESS], limits[DENIAL], **options),)  # type: ignore[arg-type]


def _option(line: Line) -> dict[str, object]:
    match line.name.text:
        case "servfail":
            seconds = duration(line.one())
            if seconds < 0:
                raise CorefileError(f'invalid negative duration for servfail "{line.one()}"')
            if seconds > MAX_FAILURE_TTL:
                raise CorefileError(f"caching SERVFAIL responses over 5 minutes is not permitted: {line.one()}")
            return {"failure_ttl": int(seconds)}
        case "serve_stale":
            words = [token.text for token in line.arguments]
            if len(words) > 2:
                raise line.arguments[-1].wrong_count()
            seconds = duration(words[0]) if words else 3600.0
            if seconds < 0:
                raise CorefileError(f"invalid negative duration for serve_stale: {words[0]}")
            mode = words[1].lower() if len(words) > 1 else "immediate"
            if mode not in ("immediate", "verify"):
                raise CorefileError(f"invalid value for serve_stale refresh mode: {words[1]}")
            return {"stale": min(seconds, DAY), "verify": mode == "verify"}
        case "keepttl":
            line.none()
            return {"keep_ttl": True}
        case "prefetch":
            line.some()
            raise line.name.error("'prefetch' is not available in a lab's cache")
    raise line.unknown()


def _limits(line: Line, limits: Limits) -> Limits:
    words = line.some()
    limits = replace(limits, capacity=integer(words[0]))
    if len(words) > 1:
        limits = replace(limits, ttl=_ttl_of(words[1]))
    if len(words) > 2:
        limits = replace(limits, least=integer(words[2]))
        if limits.least < 0:
            raise CorefileError(f"cache min TTL can not be negative: {limits.least}")
    return limits


def _ttl_of(text: str) -> int:
    ttl = integer(text)
    if ttl <= 0:
        raise CorefileError(f"cache TTL can not be zero or negative: {ttl}")
    return ttl

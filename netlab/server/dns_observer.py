"""What became of each question: lines of the log and numbers for Prometheus, as CoreDNS writes and counts them."""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from collections.abc import Iterable
from typing import NamedTuple

from netlab.dns import metrics
from netlab.dns.answer import Answer
from netlab.dns.configuration import Configuration, Server
from netlab.dns.metrics import DURATIONS, SIZES, Family
from netlab.dns.plugins.cache import Cache
from netlab.dns.plugins.endpoints import Prometheus
from netlab.dns.plugins.log import Errors, Exchange, Log
from netlab.dns.wire import DO, Query, type_name
from netlab.server.dns_log import Log as Output

TYPES = frozenset(("A", "AAAA", "CNAME", "DNSKEY", "DS", "HTTPS", "MX", "NS", "NSEC", "NSEC3", "PTR", "RRSIG", "SOA",
                   "SRV", "SVCB", "TXT", "AXFR", "ANY", "IXFR"))
VERSION = "1.12.0"  # of the CoreDNS whose behaviour this is
MAX_UNCOUNTED = 1000  # kinds
SERVER = ("server", "zone", "view")


class Kind(NamedTuple):
    """All that the metrics tell apart."""

    server: str
    zone: str
    transport: str
    family: str
    type: str
    rcode: str
    plugin: str
    dnssec_ok: bool
    size: int
    response_size: int


class Client(NamedTuple):
    """Where a question came from."""

    address: str
    port: int


class Observer:
    """Counts and writes; from any thread."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._began = time.time()
        self._uncounted: dict[Kind, int] = {}  # questions, until somebody wants the numbers
        self._summed: dict[tuple[int, int], list[float]] = {}  # by rule of `errors`: when to say it, how many
        of = Family
        self.build = of("coredns_build_info", "A metric with a constant '1' value labeled by version, revision, and "
                        "goversion from which CoreDNS was built.", "gauge", ("goversion", "revision", "version"))
        self.requests = of("coredns_dns_requests_total", "Counter of DNS requests made per zone, protocol and family.",
                           "counter", (*SERVER[:2], "view", "proto", "family", "type"))
        self.responses = of("coredns_dns_responses_total", "Counter of response status codes.", "counter",
                            (*SERVER, "rcode", "plugin"))
        self.durations = of("coredns_dns_request_duration_seconds", "Histogram of the time (in seconds) each request "
                            "took per zone.", "histogram", SERVER, DURATIONS)
        self.sizes = of("coredns_dns_request_size_bytes", "Size of the EDNS0 UDP buffer in bytes (64K for TCP) per "
                        "zone and protocol.", "histogram", (*SERVER, "proto"), SIZES)
        self.response_sizes = of("coredns_dns_response_size_bytes", "Size of the returned response in bytes.",
                                 "histogram", (*SERVER, "proto"), SIZES)
        self.dnssec = of("coredns_dns_do_requests_total", "Counter of DNS requests with DO bit set per zone.",
                         "counter", SERVER)
        self.panics = of("coredns_panics_total", "A metrics that counts the number of panics.", "counter")
        self.plugins = of("coredns_plugin_enabled", "A metric that indicates whether a plugin is enabled on per server "
                          "and zone basis.", "gauge", (*SERVER, "name"))
        self.entries = of("coredns_cache_entries", "The number of elements in the cache.", "gauge",
                          ("server", "type", "zones", "view"))
        self.hits = of("coredns_cache_hits_total", "The count of cache hits.", "counter",
                       ("server", "type", "zones", "view"))
        self.misses = of("coredns_cache_misses_total", "The count of cache misses. Deprecated, derive misses from "
                         "cache hits/requests counters.", "counter", ("server", "zones", "view"))
        self.lookups = of("coredns_cache_requests_total", "The count of cache requests.", "counter",
                          ("server", "zones", "view"))
        self.evictions = of("coredns_cache_evictions_total", "The count of cache evictions.", "counter",
                            ("server", "type", "zones", "view"))
        self.stale = of("coredns_cache_served_stale_total", "The number of requests served from stale cache entries.",
                        "counter", ("server", "zones", "view"))
        self.proxied = of("coredns_proxy_request_duration_seconds", "Histogram of the time each request took.",
                          "histogram", ("proxy_name", "to", "rcode"), DURATIONS)
        self.check_failures = of("coredns_proxy_healthcheck_failures_total", "Counter of the number of failed "
                                 "healthchecks.", "counter", ("proxy_name", "to"))
        self.checks_broken = of("coredns_forward_healthcheck_broken_total", "Counter of the number of complete "
                                "failures of the healthchecks.", "counter")
        self.rejects = of("coredns_forward_max_concurrent_rejects_total", "Counter of the number of queries rejected "
                          "because the concurrent queries were at maximum.", "counter")
        self.reload_failures = of("coredns_reload_failed_total", "Counter of the number of failed reload attempts.",
                                  "counter")
        self.version = of("coredns_reload_version_info", "A metric with a constant '1' value labeled by hash, and value"
                          " which type of hash generated.", "gauge", ("hash", "value"))
        self.cpu = of("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", "counter")
        self.memory = of("process_resident_memory_bytes", "Resident memory size in bytes.", "gauge")
        self.started = of("process_start_time_seconds", "Start time of the process since unix epoch in seconds.",
                          "gauge")
        self.build.set(f"python{'.'.join(map(str, sys.version_info[:3]))}", "netlab", VERSION, to=1)
        for counter in (self.panics, self.checks_broken, self.rejects, self.reload_failures):
            counter.set(to=0)

    def configured(self, configuration: Configuration, digest: str) -> None:
        """A configuration is in force; `digest` is the SHA-512 of its text."""
        with self._lock:
            self.plugins.values.clear()
            self.version.values.clear()
            self.version.set("sha512", digest, to=1)
            for server in configuration.servers:
                for plugin in server.plugins:
                    self.plugins.set(*server.labels, "", plugin.name, to=1)

    def count(self, family: Family, *labels: str) -> None:
        """Counts one more."""
        with self._lock:
            family.add(*labels)

    def time(self, family: Family, seconds: float, *labels: str) -> None:
        """Counts a duration."""
        with self._lock:
            family.observe(seconds, *labels)

    def done(self, server: Server | None, query: Query, result: Answer, wire: bytes, *, client: Client, size: int,
             tcp: bool, seconds: float) -> Kind:
        """A question was answered: counts it, and writes the lines that the server wants."""
        transport = "tcp" if tcp else "udp"
        labels = server.labels if server else ("dropped", "dropped")
        kind = Kind(*labels, transport, "2" if ":" in client.address else "1", _type(query), result.rcode, result.by,
                    bool(query.edns and query.edns.flags & DO), size, len(wire))
        if server and server.get(Prometheus):
            with self._lock:
                self._uncounted[kind] = self._uncounted.get(kind, 0) + 1
                self.durations.observe(seconds, *labels, "")
                if len(self._uncounted) > MAX_UNCOUNTED:
                    self._count_all()
        if server and query.question and (log := server.get(Log)):
            line = log.line(query.question.name, Exchange(
                client.address, client.port, query.id, str(query.question.name).lower(), query.question.type, "IN",
                transport, size, kind.dnssec_ok, query.edns.size if query.edns else 65535 if tcp else 512,
                result.rcode, int.from_bytes(wire[2:4], "big"), len(wire), seconds, answered=bool(result.answer)))
            if line is not None:
                self._output.info(line)
        if server and query.question and result.error and (errors := server.get(Errors)):
            self._error(errors, f"2 {str(query.question.name).lower()} {query.question.type}: {result.error}")
        return kind

    def _error(self, errors: Errors, line: str) -> None:
        rule = errors.rule(line)
        if rule is None:
            self._output.limited("ERROR", f"plugin/errors: {line}")
            return
        seconds, pattern = errors.consolidated[rule]
        with self._lock:
            summed = self._summed.get((id(errors), rule))
            if summed is not None:
                summed[0] += 1
                return
            summed = self._summed[id(errors), rule] = [1.0]

        def say() -> None:
            with self._lock:
                self._summed.pop((id(errors), rule), None)
            self._output.line(f"[ERROR] plugin/errors: {int(summed[0])} errors like '{pattern}' occurred in last "
                              f"{_go_duration(seconds)}")

        timer = threading.Timer(seconds, say)
        timer.daemon = True
        timer.start()

    def _count_all(self) -> None:
        for kind, times in self._uncounted.items():
            self._count(kind, times)
        self._uncounted.clear()

    def _count(self, kind: Kind, times: int) -> None:
        where = (kind.server, kind.zone, "")
        self.requests.add(*where, kind.transport, kind.family, kind.type, by=times)
        self.responses.add(*where, kind.rcode, kind.plugin, by=times)
        self.sizes.observe(kind.size, *where, kind.transport, times=times)
        self.response_sizes.observe(kind.response_size, *where, kind.transport, times=times)
        if kind.dnssec_ok:
            self.dnssec.add(*where, by=times)

    def page(self, configuration: Configuration, kept: Iterable[tuple[object, int, float]]) -> str:
        """The metrics. `kept` are the answers from bytes since the last time: (kind, how many, seconds of each)."""
        caches = {server.labels: server.get(Cache) for server in configuration.servers}
        with self._lock:
            self._count_all()
            for kind, times, seconds in kept:
                if isinstance(kind, Kind):
                    self._count(kind, times)
                    self.durations.observe(seconds, kind.server, kind.zone, "", times=times)
                    if cache := caches.get((kind.server, kind.zone)):
                        cache.misses[0] += times  # bytes are only kept of what this cache may not keep
            for server in configuration.servers:
                if cache := server.get(Cache):
                    self._cache(server.labels[0], cache)
            usage = resource.getrusage(resource.RUSAGE_SELF)
            self.cpu.set(to=usage.ru_utime + usage.ru_stime)
            self.memory.set(to=_resident())
            self.started.set(to=round(self._began, 2))
            return metrics.text(family for family in vars(self).values() if isinstance(family, Family))

    def _cache(self, server: str, cache: Cache) -> None:
        zones = ",".join(map(str, cache.zones))
        hits = 0
        for name, store in cache.stores.items():
            self.entries.set(server, name, zones, "", to=len(store.kept))
            if store.hits:
                self.hits.set(server, name, zones, "", to=store.hits)
            if store.evictions:
                self.evictions.set(server, name, zones, "", to=store.evictions)
            if store.stale:
                self.stale.set(server, zones, "", to=store.stale)
            hits += store.hits
        self.misses.set(server, zones, "", to=cache.misses[0])
        self.lookups.set(server, zones, "", to=cache.misses[0] + hits)


def _type(query: Query) -> str:
    name = type_name(query.type) if query.question else ""
    return name if name in TYPES else "other"


def _resident() -> int:
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _go_duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    if seconds < 60:
        return f"{rest:g}s"
    return (f"{hours}h" if hours else "") + f"{minutes}m{rest:g}s"

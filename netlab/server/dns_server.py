"""The DNS server as its Corefile wants it: ports, pages, informers; and how it becomes another."""

from __future__ import annotations

import os
from collections.abc import Callable
from glob import glob
from hashlib import sha512
from pathlib import Path

from netlab.dns.configuration import Configuration, configure
from netlab.dns.corefile import CorefileError
from netlab.dns.metrics import CONTENT_TYPE
from netlab.dns.plugins.endpoints import Health, Prometheus, Ready
from netlab.dns.plugins.forward import Forward
from netlab.dns.plugins.kubernetes import Kubernetes
from netlab.dns.plugins.reload import Reload
from netlab.dns.plugins.setup import Surroundings
from netlab.kernel.listening import plain
from netlab.server import dns_loop
from netlab.server.dns_forward import Forwarder
from netlab.server.dns_informer import Informers, needs
from netlab.server.dns_log import Log
from netlab.server.dns_observer import Client, Observer
from netlab.server.dns_responder import Knowledge, Responder
from netlab.server.dns_stream import Page, StreamServer, dns_messages, http_pages
from netlab.server.dns_udp import UdpServer

Pages = dict[int, dict[str, Callable[[], Page]]]


class DnsServer:
    """Serves what a Corefile says; `reload` makes it another one. OSError, CorefileError when that cannot be."""

    def __init__(self, conf: str, *, port: int, api_socket: str, addresses: tuple[str, ...], log: Log) -> None:
        self._conf, self._port, self._addresses, self._log = conf, port, addresses, log
        self._text, configuration = self._read()
        self._failed = ""  # the text that could not be used
        self.observer = Observer(log)
        self.known = Knowledge(configuration)
        self._forwarder = Forwarder(self.observer)
        self._streams = StreamServer()
        self._informers = Informers(api_socket, self.known, log)
        self._dns: dict[int, tuple[UdpServer, Responder]] = {}
        self._pages: dict[int, frozenset[str]] = {}
        self._open(configuration)
        self._in_force(configuration)

    def start(self) -> None:
        """Begins to answer."""
        self._forwarder.start()
        self._streams.start()
        self._informers.follow(self.known.configuration)
        dns_loop.watch(self.known.configuration, self._log)

    @property
    def lameduck(self) -> float:
        """Seconds that it goes on answering when it is told to end."""
        return max((health.lameduck for health in self.known.configuration.all(Health)), default=0.0)

    def look(self) -> None:
        """Reloads when the Corefile is another one, and it says that this is wanted."""
        if self.known.configuration.all(Reload):
            try:
                text = Path(self._conf).read_text()
            except OSError:
                return  # it is just being replaced
            if text not in (self._text, self._failed):
                self.reload()

    def reload(self) -> None:
        """Reads the Corefile again. What is wrong with it is said in the log, and the old one stays in force."""
        text = ""
        self._log.info("Reloading")
        try:
            text, configuration = self._read()
            needs(configuration)
            self._open(configuration)
        except (CorefileError, OSError) as error:
            self._failed = text or self._last_text()
            self.observer.count(self.observer.reload_failures)
            self._log.line(f"[ERROR] Restart failed: {_said(error)}")
            self._log.line(f"[ERROR] plugin/reload: Corefile changed but reload failed: {_said(error)}")
            return
        self._text, self._failed = text, ""
        self.known.configure(configuration)
        self._close(configuration)
        self._informers.follow(configuration)
        self._forwarder.forget(configuration.all(Forward))
        self._in_force(configuration)
        dns_loop.watch(configuration, self._log)
        self._log.info("Reloading complete")

    def _last_text(self) -> str:
        try:
            return Path(self._conf).read_text()
        except OSError:
            return ""

    def _read(self) -> tuple[str, Configuration]:
        text = Path(self._conf).read_text()
        directory = os.path.dirname(self._conf)

        def files(pattern: str) -> list[tuple[str, str]]:
            return [(path, Path(path).read_text()) for path in sorted(glob(os.path.join(directory, pattern)))
                    if os.path.isfile(path)]

        numbers = (int.from_bytes(os.urandom(8), "big") >> 1 for _ in range(2))
        around = Surroundings(lambda path: Path(path).read_text(), files, os.environ, self._addresses,
                              ".".join(map(str, numbers)))
        configuration = configure(text, around, file=self._conf, port=self._port)
        needs(configuration)
        return text, configuration

    def _in_force(self, configuration: Configuration) -> None:
        digest = sha512(self._text.encode()).hexdigest()
        self.observer.configured(configuration, digest)
        for server in configuration.servers:
            self._log.line(str(server))
        if configuration.all(Reload):
            self._log.info(f"plugin/reload: Running configuration SHA512 = {digest}")

    def _open(self, configuration: Configuration) -> None:
        """Takes the ports that are not there yet: all of them or none."""
        opened: list[Callable[[], None]] = []
        pages = self._wanted_pages(configuration)
        port, kind = 0, ""
        try:
            for port in configuration.ports:
                kind = "udp"
                if port not in self._dns:
                    udp = UdpServer(port)
                    opened.append(udp.stop)
                    responder = Responder(self.known, port, log=self._log, observer=self.observer,
                                          do=self._forwarder.do)
                    opened.append(lambda responder=responder: self.known.remove(responder))  # type: ignore[misc]
                    kind = "tcp"
                    self._streams.listen(port, dns_messages(_with_client(responder)))
                    opened.append(lambda port=port: self._streams.unlisten(port))  # type: ignore[misc]
                    self._dns[port] = udp, responder
                    opened.append(lambda port=port: self._dns.pop(port) and None)  # type: ignore[misc]
                    udp.start(responder)
            kind = "tcp"
            for port, paths in pages.items():
                if port not in self._pages:
                    self._streams.listen(port, http_pages(paths))
                    self._pages[port] = frozenset(paths)
                    opened.append(lambda port=port: self._end_pages(port))  # type: ignore[misc]
                elif self._pages[port] != frozenset(paths):
                    raise OSError(0, f"the pages of port {port} change: restart the pod")
        except OSError as error:
            for undo in reversed(opened):
                undo()
            raise OSError(error.errno, f"listen {kind} :{port}: bind: {(error.strerror or '').lower()}") from None

    def _close(self, configuration: Configuration) -> None:
        for port in [port for port in self._dns if port not in configuration.ports]:
            udp, responder = self._dns.pop(port)
            udp.stop()
            self._streams.unlisten(port)
            self.known.remove(responder)
        wanted = self._wanted_pages(configuration)
        for port in [port for port in self._pages if port not in wanted]:
            self._end_pages(port)

    def _end_pages(self, port: int) -> None:
        del self._pages[port]
        self._streams.unlisten(port)

    def _wanted_pages(self, configuration: Configuration) -> Pages:
        found: Pages = {}
        for health in configuration.all(Health):
            found.setdefault(health.port, {})["/health"] = lambda: Page(200, "OK")
        for ready in configuration.all(Ready):
            found.setdefault(ready.port, {})["/ready"] = self._ready
        for prometheus in configuration.all(Prometheus):
            found.setdefault(prometheus.port, {})["/metrics"] = self._metrics
        return found

    def _ready(self) -> Page:
        if self.known.view.synced or not self.known.configuration.all(Kubernetes):
            return Page(200, "OK")
        self._log.limited("INFO", 'plugin/ready: Plugins not ready: "kubernetes"')
        return Page(503, "kubernetes")

    def _metrics(self) -> Page:
        kept = [each for _, responder in self._dns.values() for each in responder.hits()]
        return Page(200, self.observer.page(self.known.configuration, kept), CONTENT_TYPE)


def _with_client(responder: Responder) -> Callable[[bytes, tuple[str, int], Callable[[bytes], None]], bytes | None]:
    return lambda data, peer, deliver: responder.tcp(data, Client(plain(peer[0]), peer[1]), deliver)


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, CorefileError) or not isinstance(error, OSError) else error.strerror or ""

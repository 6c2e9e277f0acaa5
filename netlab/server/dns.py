"""The cluster's DNS server: a process of its own in each DNS pod, a client of the API like any other.

It runs in a fork without exec whose root filesystem has no Python, so importing this module must bring in
everything that will ever be needed: hence the codecs below, which Python otherwise loads when first used.
"""

from __future__ import annotations

import encodings.ascii
import encodings.idna
import encodings.latin_1
import encodings.utf_8  # noqa: F401
import errno
import ipaddress
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass

from netlab.dns.names import IPNetwork, Name, Zones, zones_of
from netlab.kernel.listening import listening
from netlab.server.dns_informer import PATHS, Informer
from netlab.server.dns_log import Log
from netlab.server.dns_responder import Responder
from netlab.server.dns_stream import StreamServer, dns_messages, http_probe

RECEIVE_BUFFER = 4 << 20  # bytes: a burst of queries waits in the kernel instead of being lost
MAX_REQUEST = 4096
SO_RCVBUFFORCE = 33  # socket(7): beyond net.core.rmem_max, with CAP_NET_ADMIN


@dataclass(frozen=True)
class Options:
    """The command line."""

    api_socket: str = "/run/netlab/view/api.sock"
    domain: str = "cluster.local"
    pod_cidr: str = "10.244.0.0/16"  # several ranges are separated by commas
    service_cidr: str = "10.96.0.0/12"
    port: int = 53
    ready_port: int = 8181
    health_port: int = 8080
    lameduck: float = 1.0  # seconds that questions are still answered after SIGTERM

    @classmethod
    def parse(cls, args: list[str]) -> Options:
        """The options that `--name value` and `--name=value` say; ValueError for others."""
        values: dict[str, str | int | float] = {}
        rest = list(args)
        while rest:
            flag, equals, value = rest.pop(0).partition("=")
            if not equals:
                if not rest:
                    raise ValueError(f"flag needs an argument: {flag}")
                value = rest.pop(0)
            name = flag.lstrip("-").replace("-", "_")
            if name == "conf":
                continue  # the Corefile: the server always does what kubeadm's says
            if not flag.startswith("-") or name not in cls.__dataclass_fields__:
                raise ValueError(f"flag provided but not defined: {flag}")
            values[name] = type(getattr(cls, name))(value)
        return cls(**values)  # type: ignore[arg-type]

    def zones(self) -> Zones:
        """What is answered for; ValueError when a range is none."""
        networks: tuple[IPNetwork, ...] = tuple(
            ipaddress.ip_network(text) for text in f"{self.service_cidr},{self.pod_cidr}".split(",") if text)
        reverse = tuple(zone for one in networks for zone in zones_of(str(one)))
        return Zones(domain=Name.of(self.domain), reverse=reverse, local=_local_addresses(networks))


class _Stop(BaseException):
    """The lameduck time after SIGTERM is over."""


def _local_addresses(networks: tuple[IPNetwork, ...]) -> tuple[str, ...]:
    """The addresses that packets to the Services leave from, one of each family: the pod's own. Nothing is sent."""
    found: dict[int, str] = {}
    for network in networks:
        family = socket.AF_INET if network.version == 4 else socket.AF_INET6
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((str(network[1]), 53))
                found.setdefault(family, str(probe.getsockname()[0]))
        except OSError:
            pass
    return tuple(found.values())


def _udp_socket(port: int) -> socket.socket:
    udp = listening(socket.SOCK_DGRAM, port)
    for option in (socket.SO_RCVBUF, SO_RCVBUFFORCE):
        try:
            udp.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BUFFER)
        except OSError:
            pass
    return udp


def _serve_udp(udp: socket.socket, responder: Responder) -> None:
    receive, send, respond = udp.recvfrom, udp.sendto, responder.udp
    while True:
        try:
            data, peer = receive(MAX_REQUEST)
            response = respond(data)
            if response is not None:
                send(response, peer)
        except OSError as error:
            if error.errno in (errno.EBADF, errno.ENOTSOCK):
                raise
            time.sleep(0.001)  # no route back, or refused by a policy: that client's loss only


def main(args: list[str]) -> int:
    """Serves DNS until SIGTERM or SIGINT; the exit code. 1: a port is taken; 2: a flag is wrong."""
    log = Log()
    try:
        options = Options.parse(args)
        zones = options.zones()
    except ValueError as error:
        log.line(f"coredns: {error}")
        return 2
    responder = Responder(zones, log)
    streams = StreamServer()
    try:
        udp = _udp_socket(options.port)
        streams.listen(options.port, dns_messages(responder.tcp))
        streams.listen(options.ready_port, http_probe(
            "/ready", lambda: (200, "OK") if responder.view.synced else (503, "kubernetes")))
        streams.listen(options.health_port, http_probe("/health", lambda: (200, "OK")))
    except OSError as error:
        log.line(f"Listen: listen :{options.port}, :{options.ready_port}, :{options.health_port}: {error.strerror}")
        return 1

    def stop(number: int, frame: object) -> None:
        if number == signal.SIGALRM:
            raise _Stop
        if signal.getitimer(signal.ITIMER_REAL)[0]:
            return  # already on the way
        log.info(f"{signal.Signals(number).name}: Shutting down servers then terminating")
        log.info(f"plugin/health: Going into lameduck mode for {options.lameduck:g}s")
        signal.setitimer(signal.ITIMER_REAL, max(0.001, options.lameduck))

    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)
    try:
        for number in signals:
            signal.signal(number, stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        # A list of thousands of objects is parsed in another thread; questions shall not wait 5 ms for each slice.
        sys.setswitchinterval(0.0005)
        log.line(f".:{options.port}")
        log.line(f"CoreDNS-netlab answers for {zones.domain} {options.service_cidr} {options.pod_cidr}")
        log.line(f"{sys.platform}/{os.uname().machine}, python{'.'.join(map(str, sys.version_info[:3]))}")
        threading.Thread(target=streams.run, name="streams", daemon=True).start()
        for resource in PATHS:
            Informer(options.api_socket, resource, responder, log).start()
        _serve_udp(udp, responder)
    except _Stop:
        pass
    return 0

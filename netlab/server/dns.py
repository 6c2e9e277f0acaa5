"""The cluster's DNS server: a process of its own in each DNS pod, a client of the API like any other.

It runs in a fork without exec whose root filesystem has no Python, so importing this module must bring in
everything that will ever be needed: hence the codecs below, which Python otherwise loads when first used.
"""

from __future__ import annotations

import encodings.ascii
import encodings.idna
import encodings.latin_1
import encodings.utf_8  # noqa: F401
import gc
import os
import resource
import signal
import socket
import sys
from dataclasses import dataclass

from netlab.dns.configuration import FILE, PORT
from netlab.dns.corefile import CorefileError
from netlab.server.dns_log import Log
from netlab.server.dns_server import DnsServer

LOOK_EVERY = 1.0  # seconds between two looks at the Corefile, whatever the interval of its `reload`
FILES = 4096  # open at a time: each question to another server has a socket
PROBES = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))  # anywhere; nothing is sent there


@dataclass(frozen=True)
class Options:
    """The command line."""

    conf: str = FILE
    dns_port: int = PORT  # of server blocks that name none
    api_socket: str = "/run/netlab/view/api.sock"

    @classmethod
    def parse(cls, args: list[str]) -> Options:
        """The options that `-name value` and `--name=value` say; ValueError for others."""
        values: dict[str, str | int] = {}
        rest = list(args)
        while rest:
            flag, equals, value = rest.pop(0).partition("=")
            name = flag.lstrip("-").replace("-", "_").replace(".", "_")
            name = "dns_port" if name == "p" else name
            if not flag.startswith("-") or name not in cls.__dataclass_fields__:
                raise ValueError(f"flag provided but not defined: {flag}")
            if not equals:
                if not rest:
                    raise ValueError(f"flag needs an argument: {flag}")
                value = rest.pop(0)
            values[name] = type(getattr(cls, name))(value)
        return cls(**values)  # type: ignore[arg-type]


def _addresses() -> tuple[str, ...]:
    """The addresses that packets to others leave from, one of each family: the pod's own. Nothing is sent."""
    found = []
    for family, anywhere in PROBES:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((anywhere, 53))
                found.append(str(probe.getsockname()[0]))
        except OSError:
            pass
    return tuple(found)


def _allow_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FILES:
        wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main(args: list[str]) -> int:
    """Serves DNS until SIGTERM or SIGINT; the exit code. 1: the Corefile is wrong or a port taken; 2: a flag is."""
    log = Log()
    try:
        options = Options.parse(args)
    except ValueError as error:
        log.line(f"coredns: {error}")
        return 2
    # Waited for below, by the only thread that runs Python's handlers; blocked before there are others.
    signals = {signal.SIGTERM, signal.SIGINT, signal.SIGUSR1}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    _allow_files()
    # A list of thousands of objects is parsed in another thread; questions shall not wait 5 ms for each slice.
    sys.setswitchinterval(0.0005)
    # To look at all kept responses takes tens of milliseconds, in which nobody is answered, and finds no cycles.
    gc.set_threshold(700, 10, 100)
    try:
        server = DnsServer(options.conf, port=options.dns_port, api_socket=options.api_socket,
                           addresses=_addresses(), log=log)
    except CorefileError as error:
        log.line(str(error))
        return 1
    except FileNotFoundError as error:
        log.line(f"loading Caddyfile via flag: open {error.filename}: no such file or directory")
        return 1
    except OSError as error:
        log.line(error.strerror or str(error))
        return 1
    log.line("CoreDNS-netlab")
    log.line(f"{sys.platform}/{os.uname().machine}, python{'.'.join(map(str, sys.version_info[:3]))}")
    server.start()
    while True:
        caught = signal.sigtimedwait(signals, LOOK_EVERY)
        if caught is None:
            server.look()
        elif caught.si_signo == signal.SIGUSR1:
            log.info("SIGUSR1: Reloading")
            server.reload()
        else:
            break
    log.info(f"{signal.Signals(caught.si_signo).name}: Shutting down servers then terminating")
    if server.lameduck:
        log.info(f"plugin/health: Going into lameduck mode for {server.lameduck:g}s")
        signal.sigtimedwait({signal.SIGINT}, server.lameduck)
    return 0

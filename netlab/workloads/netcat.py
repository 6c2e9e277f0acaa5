"""`nc` and `telnet` for machines without them: connects or listens by TCP or UDP, in the words of OpenBSD's netcat."""

from __future__ import annotations

import getopt
import os
import select
import socket
import subprocess
import sys
from dataclasses import dataclass

from netlab.kernel.listening import listening, plain

USAGE = "usage: nc [-46hklNnuvz] [-e command] [-p source_port] [-q seconds] [-w timeout] [destination] [port]"
PART = 65536


@dataclass(frozen=True)
class Wishes:
    """The options. `wait` is for connecting, and for either side to say something; seconds."""

    listen: bool = False
    keep: bool = False
    udp: bool = False
    scan: bool = False
    verbose: bool = False
    numeric: bool = False
    family: int = socket.AF_UNSPEC
    wait: float | None = None
    port: int = 0
    command: str = ""

    @property
    def kind(self) -> int:
        """The sort of socket."""
        return socket.SOCK_DGRAM if self.udp else socket.SOCK_STREAM


def parse(args: list[str]) -> tuple[Wishes, list[str]]:
    """The options and the other words; ValueError for wrong ones."""
    try:
        given, words = getopt.gnu_getopt(args, "46hklNnuvze:p:q:w:i:s:")
    except getopt.GetoptError as error:
        raise ValueError(f"nc: {error.msg}\n{USAGE}") from None
    found = dict(given)
    try:
        wait, port = (float(found["-w"]) if "-w" in found else None), int(found.get("-p", 0))
    except ValueError:
        raise ValueError(USAGE) from None
    family = socket.AF_INET if "-4" in found else socket.AF_INET6 if "-6" in found else socket.AF_UNSPEC
    return Wishes("-l" in found, "-k" in found, "-u" in found, "-z" in found, "-v" in found, "-n" in found, family,
                  wait, port, found.get("-e", "")), words


def main(args: list[str]) -> int:
    """Runs `nc [OPTIONS] [HOST] PORT`; 1 when no connection came about."""
    try:
        wishes, words = parse(args)
        if wishes.listen:
            port = wishes.port or int(words[-1])
            return listen(wishes, port, words[0] if len(words) > 1 or (words and wishes.port) else "")
        host, ports = words[0], port_range(words[1], wishes)
    except (ValueError, IndexError) as error:
        return _fail(str(error) if "nc: " in str(error) else USAGE)
    results = [connect(wishes, host, port) for port in ports]
    return 0 if 0 in results else 1


def port_range(text: str, wishes: Wishes) -> range:
    """The ports of `80`, `http` or `80-90`; ValueError when they are none."""
    first, dash, last = text.partition("-")
    if dash and last.isdigit():
        return range(int(first), int(last) + 1)
    number = int(text) if text.isdigit() else socket.getservbyname(text, "udp" if wishes.udp else "tcp")
    return range(number, number + 1)


def connect(wishes: Wishes, host: str, port: int) -> int:
    """Connects to the first address that answers, and passes on what either side says."""
    try:
        rows = socket.getaddrinfo(host, port, wishes.family, wishes.kind)
    except socket.gaierror as error:
        return _fail(f'nc: getaddrinfo for host "{host}" port {port}: {error.strerror}')
    protocol = "udp" if wishes.udp else "tcp"
    for family, kind, number, _, address in rows:
        shown = host if host == address[0] else f"{host} ({address[0]})"
        made = socket.socket(family, kind, number)
        made.settimeout(wishes.wait)
        try:
            if wishes.port:
                made.bind(("", wishes.port))
            made.connect(address)
        except OSError as error:
            made.close()
            why = "Operation timed out" if isinstance(error, TimeoutError) else error.strerror
            _fail(f"nc: connect to {shown} port {port} ({protocol}) failed: {why}")
            continue
        if wishes.verbose:
            _say(f"Connection to {shown} {port} port [{protocol}/{_service(port, protocol)}] succeeded!")
        with made:
            if not wishes.scan:
                talk(wishes, made)
        return 0
    return 1


def listen(wishes: Wishes, port: int, address: str) -> int:
    """Waits for a connection at the port, for one after the other with -k."""
    try:
        made = listening(wishes.kind, port, address)
    except OSError as error:
        return _fail(f"nc: {error.strerror}")
    with made:
        if wishes.udp:
            _, peer = made.recvfrom(PART, socket.MSG_PEEK)
            made.connect(peer)
            talk(wishes, made)
            return 0
        made.listen(16)
        if wishes.verbose:
            _say(f"Listening on {address or '0.0.0.0'} {port}")
        while True:
            connection, peer = made.accept()
            if wishes.verbose:
                _say(f"Connection received on {plain(peer[0])} {peer[1]}")
            with connection:
                talk(wishes, connection)
            if not wishes.keep:
                return 0


def talk(wishes: Wishes, made: socket.socket) -> None:
    """Standard input to the other side, and what it says to standard output; or a command instead of both."""
    made.settimeout(None)
    if wishes.command:
        subprocess.run(["/bin/sh", "-c", wishes.command], stdin=made.fileno(), stdout=made.fileno(),
                       check=False)
        return
    heard = [made.fileno(), 0]
    while made.fileno() in heard:
        ready, _, _ = select.select(heard, [], [], wishes.wait)
        if not ready:
            return
        try:
            if made.fileno() in ready:
                data = made.recv(PART)
                if not data and not wishes.udp:
                    return
                _write(data)
            if 0 in ready:
                data = os.read(0, PART)
                if data:
                    made.sendall(data)
                    continue
                heard.remove(0)
                if not wishes.udp:
                    made.shutdown(socket.SHUT_WR)
        except OSError:
            return


def main_telnet(args: list[str]) -> int:
    """Runs `telnet HOST [PORT]`, which speaks no Telnet: it passes on what either side says."""
    words = [word for word in args if not word.startswith("-")]
    host, port = (words + ["", "23"][len(words):])[:2] if words else ("", "")
    if not host:
        return _fail("usage: telnet host [port]")
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return _fail(f"telnet: could not resolve {host}/{port}: {error.strerror}")
    for family, kind, number, _, address in rows:
        print(f"Trying {address[0]}...", flush=True)
        with socket.socket(family, kind, number) as made:
            try:
                made.connect(address)
            except OSError as error:
                _fail(f"telnet: Unable to connect to remote host: {error.strerror}")
                continue
            print(f"Connected to {host}.\nEscape character is '^]'.", flush=True)
            talk(Wishes(), made)
            return _fail("Connection closed by foreign host.")
    return 1


def _service(port: int, protocol: str) -> str:
    try:
        return socket.getservbyport(port, protocol)
    except OSError:
        return "*"


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _fail(text: str) -> int:
    _say(text)
    return 1

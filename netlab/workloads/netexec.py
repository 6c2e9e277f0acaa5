"""agnhost netexec: an HTTP and UDP server that says who it is, dials others and runs commands."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial

from netlab.model.family import with_port
from netlab.workloads.netexec_answers import NetExec
from netlab.workloads.options import strict_options
from netlab.workloads.program import log, stamp
from netlab.workloads.serving import Server, run_until_term, say

DEFAULTS = {"http-port": "8080", "udp-port": "8081", "sctp-port": "-1", "http-override": "", "delay-shutdown": "0",
            "tls-cert-file": "", "tls-private-key-file": "", "udp-listen-addresses": ""}


def serve(args: list[str]) -> Server:
    """A server that listens already. OSError when a port is taken, ValueError for wrong options."""
    chosen = strict_options(args, DEFAULTS)
    server = Server()
    server.delay = float(chosen["delay-shutdown"])
    netexec = NetExec(server, override=chosen["http-override"])

    def on_term() -> None:
        netexec.terminating = True
        if server.delay > 0:
            log(f"Sleeping {chosen['delay-shutdown']} seconds before terminating...")

    server.on_term = on_term
    tls = None
    if chosen["tls-cert-file"]:
        from netlab.workloads.certificates import server_side

        tls = server_side(chosen["tls-cert-file"], chosen["tls-private-key-file"])
    _listen("tcp", int(chosen["http-port"]), lambda port: server.http(port, netexec.http, tls=tls))
    udp_port = int(chosen["udp-port"])
    if udp_port >= 0:
        for address in listed(chosen["udp-listen-addresses"]):
            _listen("udp", udp_port, partial(server.udp, answer=netexec.udp, address=address), address)
            log(f"Started UDP server on port {address} {udp_port}")
        netexec.ready = True
    if int(chosen["sctp-port"]) >= 0:
        try:
            server.sctp(int(chosen["sctp-port"]), netexec.association)
            log("Started SCTP server")
            netexec.ready = True
        except OSError as error:  # the others go on: manifests ask for it where only few tests use it
            log(f"--sctp-port: this kernel has no SCTP ({error.strerror})")
    return server


def listed(addresses: str) -> list[str]:
    """The addresses of --udp-listen-addresses, each once; [""] for any. ValueError when one is none."""
    for address in addresses.split(",") if addresses else ():
        try:
            socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
        except OSError:
            raise ValueError(f"parseAddress: invalid address {address}") from None
    return sorted(set(addresses.split(",")))


def _listen(network: str, port: int, begin: Callable[[int], None], address: str = "") -> None:
    try:
        begin(port)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise OSError(f"listen {network} {with_port(address, port)}: bind: {why}") from None


def main(args: list[str]) -> int:
    """Serves until SIGTERM; 1 when a port is taken or the options are wrong."""
    try:
        server = serve(args)
    except OSError as error:
        log(str(error))
        return 1
    except ValueError as error:
        say(f"Error: {error}")
        return 1
    ports = ", ".join(str(port) for port in server.ports())
    return run_until_term(server, f"{stamp()} Started HTTP server on port {ports}")

"""The commands of the image agnhost, by which Kubernetes' own network tests and many manifests work."""

from __future__ import annotations

import sys
from collections.abc import Callable

from netlab.workloads import (
    connect,
    guestbook,
    hostnames,
    httpd,
    liveness,
    log_lines,
    net,
    netexec,
    pause,
    porter,
)
from netlab.workloads.options import options
from netlab.workloads.serving import Server, run_until_term

HELP = ("help", "--help", "-h")
VERSION = "2.53"  # whose commands these are


def main(args: list[str]) -> int:
    """Runs `agnhost COMMAND ARGS`; 1 for a command that it does not have."""
    command = args[0] if args else "pause"
    if command in HELP:
        print("Usage:\n  app [command]\n\nAvailable Commands:", *(f"  {name}" for name in sorted(COMMANDS)), sep="\n",
              flush=True)
        return 0
    if command == "--version":
        print(f"app version {VERSION}", flush=True)
        return 0
    if command not in COMMANDS:
        print(f'Error: unknown command "{command}" for "app"; this agnhost has: {", ".join(sorted(COMMANDS))}',
              file=sys.stderr, flush=True)
        return 1
    try:
        return COMMANDS[command](args[1:])
    except ValueError as error:  # of an option
        print(f"Error: {error}", file=sys.stderr, flush=True)
        return 1


def resolver_words(keyword: str) -> list[str]:
    """The words behind a keyword of /etc/resolv.conf, of all its lines."""
    with open("/etc/resolv.conf") as file:
        lines = [line.split() for line in file]
    return [word for line in lines if line and line[0] == keyword for word in line[1:]]


def dns_suffix(args: list[str]) -> int:
    """Prints the resolver's search list."""
    print(",".join(resolver_words("search")), flush=True)
    return 0


def dns_server_list(args: list[str]) -> int:
    """Prints the resolver's servers."""
    print(",".join(resolver_words("nameserver")), flush=True)
    return 0


def etc_hosts(args: list[str]) -> int:
    """Prints /etc/hosts."""
    with open("/etc/hosts") as file:
        print(file.read(), end="", flush=True)
    return 0


def entrypoint_tester(args: list[str]) -> int:
    """Prints the whole command line, as Go prints a list."""
    print(f"[{' '.join(('/agnhost', 'entrypoint-tester', *args))}]", flush=True)
    return 0


def tcp_reset(args: list[str]) -> int:
    """Reads one byte of each connection and closes it: who sent more gets a reset."""
    port = int(options(args, {"port": "8080"})["port"])
    server = Server()
    server.tcp(port, lambda connection: (connection.recv(1), None)[1])
    return run_until_term(server, f"Serving on port {port}.")


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "netexec": netexec.main, "serve-hostname": hostnames.main, "connect": connect.main, "pause": pause.main,
    "porter": porter.main, "dns-suffix": dns_suffix, "dns-server-list": dns_server_list, "etc-hosts": etc_hosts,
    "test-webserver": httpd.main_test_webserver, "guestbook": guestbook.main, "liveness": liveness.main,
    "logs-generator": log_lines.main, "entrypoint-tester": entrypoint_tester, "net": net.main, "tcp-reset": tcp_reset,
}

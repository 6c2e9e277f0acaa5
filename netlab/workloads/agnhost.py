"""The commands of the image agnhost, by which Kubernetes' own network tests and many manifests work."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable

from netlab.workloads import connect, echo, netexec, pause
from netlab.workloads.http import Request, Response
from netlab.workloads.options import Options, options
from netlab.workloads.serving import Server, run_until_term, say

_porter = ("SERVE_PORT_", "SERVE_TLS_PORT_", "SERVE_SCTP_PORT_")


def main(args: list[str]) -> int:
    """Runs `agnhost COMMAND ARGS`; 1 for a command that it does not have."""
    command = args[0] if args else "pause"
    if command not in COMMANDS:
        print(f'Error: unknown command "{command}" for "app"; this agnhost has: {", ".join(sorted(COMMANDS))}',
              file=sys.stderr, flush=True)
        return 1
    return COMMANDS[command](args[1:])


def serve_hostname(args: list[str]) -> int:
    """Answers with the pod's name, on HTTP unless --tcp or --udp."""
    chosen = options(args, {"port": "9376", "http": "true", "tcp": "false", "udp": "false", "close": "false"})
    port, name = int(chosen["port"]), socket.gethostname()
    server = Server()
    tcp, udp = chosen.flag("tcp"), chosen.flag("udp")
    if udp:
        server.udp(port, lambda data, client, local: name.encode())
    if tcp:
        server.tcp(port, lambda connection: connection.sendall(f"{name}\n".encode()))
    elif chosen.flag("http") and not udp:
        close = (("Connection", "close"),) if chosen.flag("close") else ()
        server.http(port, lambda request: Response(name, headers=close))
    return run_until_term(server, f"Serving hostname on port {port}")


def porter(args: list[str]) -> int:
    """Serves on every port that an environment variable SERVE_PORT_<n> names, with the variable's value as body."""
    chosen = options(args, {"json-response": "false"})
    server = Server()
    for name, value in sorted(os.environ.items()):
        prefix = next((prefix for prefix in _porter if name.startswith(prefix)), "")
        if prefix == "SERVE_PORT_":
            server.http(int(name.removeprefix(prefix)), _porter_answer(value, chosen))
        elif prefix:
            say(f"{name}: not available in a lab")
    return run_until_term(server)


def _porter_answer(value: str, chosen: Options) -> Callable[[Request], Response]:
    import json

    def answer(request: Request) -> Response:
        if not chosen.flag("json-response"):
            return Response(value)
        return Response(json.dumps({"method": request.method, "path": request.path, "body": value}),
                        content_type="application/json")

    return answer


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


def test_webserver(args: list[str]) -> int:
    """Serves the pod's files on port 80."""
    return echo.main(["--port", "80", "--root", "/", *args])


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "netexec": netexec.main, "serve-hostname": serve_hostname, "connect": connect.main, "pause": pause.main,
    "porter": porter, "dns-suffix": dns_suffix, "dns-server-list": dns_server_list, "etc-hosts": etc_hosts,
    "test-webserver": test_webserver,
}

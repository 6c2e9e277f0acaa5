"""A small Redis: texts, counters and lists, in the protocol RESP 2, for machines that have no redis-server.

What it does not know it refuses as Redis does. Nothing is kept when it ends.
"""

from __future__ import annotations

import socket
import sys
from itertools import pairwise

from netlab.workloads.redis_database import Database
from netlab.workloads.redis_protocol import VERSION, Refused, commands, error
from netlab.workloads.serving import Server, run_until_term, say


def main(args: list[str]) -> int:
    """Serves until SIGTERM on `--port` (6379), with `--replicaof HOST PORT` as a follower; other options do nothing."""
    if {"-v", "--version"} & set(args):
        print(f"Redis server v={VERSION} sha=00000000:0 malloc=libc bits=64 build=0", flush=True)
        return 0
    port, words = 6379, [part for word in args for part in word.split()]
    for name, value in pairwise(words):
        if name == "--port" and value.isdigit():
            port = int(value)
    server, data = Server(), Database()
    try:
        server.tcp(port, lambda connection: serve(connection, data))
    except OSError as error:
        say(f"# Warning: Could not create server TCP listening socket *:{port}: bind: {error.strerror}\n"
            f"# Failed listening on port {port} (tcp), aborting.")
        return 1
    for name, host, number in zip(words, words[1:], words[2:], strict=False):
        if name in ("--replicaof", "--slaveof") and number.isdigit():
            data.follow(host, int(number))
    return run_until_term(server, f"* Ready to accept connections tcp (port {port})")


def serve(connection: socket.socket, data: Database) -> None:
    """Answers the commands of a connection until its client goes or says QUIT."""
    with connection.makefile("rb") as file:
        try:
            for command in commands(file):
                if command[0].upper() == b"SYNC":
                    data.synchronize(connection)
                    continue
                connection.sendall(data.answer(command))
                if command[0].upper() == b"QUIT":
                    return
        except Refused as refusal:
            connection.sendall(error(refusal.text))
        finally:
            data.followers.remove(connection)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

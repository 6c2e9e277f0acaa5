"""Real connections in a lab: who answers them, and load while something happens."""

import contextlib
import json
import socket
import threading
import time
from functools import partial
from typing import NamedTuple

from netlab.kernel import netns, sockets


class Answer(NamedTuple):
    """Who answered at which address, and the client's address that it saw."""

    pod: str
    at: str
    client: str


def echo(client):
    """Asks the built-in echo server over a connected socket."""
    if client.type == socket.SOCK_DGRAM:
        with contextlib.suppress(PermissionError):  # refused by the node's own rules: recv tells how
            client.send(b"?")
        words = dict(word.split("=", 1) for word in client.recv(2000).decode().splitlines()[0].split())
        return Answer(words["pod"], words["local"], words["client"].rpartition(":")[0].strip("[]"))
    client.sendall(b"GET /?format=json HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
    data = b"".join(iter(lambda: client.recv(65536), b""))
    if not data:
        raise ConnectionResetError("closed without an answer")
    if not data.startswith(b"HTTP/1.1 200"):
        raise OSError(f"no answer but {data[:60]!r}")
    facts = json.loads(data.partition(b"\r\n\r\n")[2])
    return Answer(facts["pod"], facts["local"], facts["clientIP"])


class Load:
    """Threads that open one connection after the other; `answers` are (start, pod), `failures` (start, error)."""

    THREADS, PAUSE = 2, 0.003

    def __init__(self, netns_name, address, port):
        self._netns, self._target = netns_name, (address, port)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(self.THREADS)]
        self.answers, self.failures = [], []

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def pods(self, since=0.0):
        """The pods that answered connections begun after that moment (monotonic)."""
        return {pod for start, pod in self.answers if start >= since}

    def _work(self):
        while not self._stop.wait(self.PAUSE):
            start = time.monotonic()
            client = netns.visit(self._netns, partial(socket.socket, sockets.family_of(self._target[0])))
            with client:
                client.settimeout(3)
                try:
                    client.connect(self._target)
                    self.answers.append((start, echo(client).pod))
                except OSError as error:
                    self.failures.append((start, repr(error)))

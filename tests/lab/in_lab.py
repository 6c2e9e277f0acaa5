"""A lab for tests: objects go in by the command line, real connections show what came of them."""

import contextlib
import errno
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

from netlab.kernel import netns
from netlab.lab.lab import Lab
from netlab.model.lab_settings import parse
from netlab.topology import names

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 30.0  # seconds for anything to come true
REFUSED, DROPPED, NO_ROUTE = "refused", "no answer", "no route"
DROP_LIMIT = 0.4  # seconds after which nobody answers
_ERRORS = {ConnectionRefusedError: REFUSED, TimeoutError: DROPPED}


class Answer(NamedTuple):
    """Who answered at which address, and the client's address that it saw."""

    pod: str
    at: str
    client: str


class InLab:
    """One lab. `who` in its methods is "pod NAME", "node NAME" or "client"."""

    def __init__(self, purpose, **spec):
        self.name = f"{purpose}{os.getpid()}"
        self.lab = Lab.up(parse(spec, name=self.name))
        self.spec = self.lab.spec

    def netlab(self, *arguments, text=""):
        """Standard output of a netlab command that must succeed."""
        done = subprocess.run([sys.executable, "-P", "-m", "netlab", *arguments], input=text, capture_output=True,
                              text=True, check=False, cwd="/",
                              env=os.environ | {"PYTHONPATH": str(ROOT), "NETLAB_NAME": self.name})
        assert done.returncode == 0, f"netlab {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def apply(self, text):
        """Applies manifests and waits until every Deployment has its pods and every pod is ready."""
        self.netlab("apply", "-f", "-", text=text)
        self.until(self.all_ready, "every pod is ready")
        self.lab.settled(LIMIT)

    def get(self, plural, name="", group=""):
        """One object of the namespace default, or all of its objects."""
        where = f"/apis/{group}/v1" if group else "/api/v1"
        found = self.lab.api.get(f"{where}/namespaces/default/{plural}/{name}".rstrip("/"))
        return found if name else found["items"]

    def all_ready(self):
        deployments = self.get("deployments", group="apps")
        pods = self.get("pods")
        return all(d.get("status", {}).get("observedGeneration") == d["metadata"]["generation"]
                   and d["spec"]["replicas"] == d["status"].get("updatedReplicas", 0) == d["status"].get("replicas", 0)
                   for d in deployments) and all(is_ready(pod) for pod in pods)

    def until(self, condition, what, limit=LIMIT):
        """Waits for the condition and gives what it gave."""
        end = time.monotonic() + limit
        while not (found := condition()):
            assert time.monotonic() < end, f"not within {limit:g} s: {what}"
            time.sleep(0.02)
        return found

    def run(self, target, *argv, code=0):
        """What a program prints in a pod, node or client; it must end with the code."""
        got, out, error = self.lab.run(target, argv, limit=LIMIT)
        assert got == code, f"{argv}: exit code {got}\n{out.decode()}{error.decode()}"
        return out.decode()

    def cluster_ip(self, service):
        return self.get("services", service)["spec"]["clusterIP"]

    def node_of(self, who):
        kind, _, name = who.partition(" ")
        return self.get("pods", name)["spec"]["nodeName"] if kind == "pod" else name

    def netns(self, who):
        kind, _, name = who.partition(" ")
        return names.pod_netns(self.name, "default", name) if kind == "pod" else f"{self.name}.{name or kind}"

    def address(self, who):
        kind, _, name = who.partition(" ")
        if kind == "pod":
            return self.get("pods", name)["status"]["podIP"]
        return str(self.spec.node_ip(name) if kind == "node" else self.spec.client_ip)

    def connect(self, who, address, port, protocol="TCP", *, limit=DROP_LIMIT):
        """An Answer of the built-in echo server, or what happened instead."""
        kind = socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM
        client = netns.visit(self.netns(who), lambda: socket.socket(socket.AF_INET, kind))
        with client:
            client.settimeout(limit)
            try:
                client.connect((address, port))
                return echo(client)
            except (ConnectionRefusedError, TimeoutError) as error:
                return _ERRORS[type(error)]
            except OSError as error:
                if error.errno != errno.ENETUNREACH:
                    raise
                return NO_ROUTE

    def load(self, who, address, port):
        """Connects again and again while the `with` block runs."""
        return Load(self.netns(who), address, port)


def is_ready(pod):
    conditions = pod.get("status", {}).get("conditions") or ()
    return "deletionTimestamp" not in pod["metadata"] and any(
        one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def echo(client):
    """Asks the built-in echo server over a connected socket."""
    if client.type == socket.SOCK_DGRAM:
        with contextlib.suppress(PermissionError):  # refused by the node's own rules: recv tells how
            client.send(b"?")
        words = dict(word.split("=", 1) for word in client.recv(2000).decode().splitlines()[0].split())
        return Answer(words["pod"], words["local"], words["client"].rpartition(":")[0])
    client.sendall(b"GET /?format=json HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
    data = b"".join(iter(lambda: client.recv(65536), b""))
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
            client = netns.visit(self._netns, lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            with client:
                client.settimeout(3)
                try:
                    client.connect(self._target)
                    self.answers.append((start, echo(client).pod))
                except OSError as error:
                    self.failures.append((start, repr(error)))

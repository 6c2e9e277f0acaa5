"""A lab for tests: the netlab command, the API and real connections show what is in it."""

import errno
import io
import os
import socket
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from netlab.cli.main import main
from netlab.kernel import netns, sockets
from netlab.lab.lab import Lab
from netlab.model.errors import ApiError
from netlab.model.family import family_of
from netlab.model.lab_settings import parse
from netlab.topology import names
from tests.lab.traffic import Load, echo

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 30.0  # seconds for anything to come true
REFUSED, DROPPED, NO_ROUTE, RESET = "refused", "no answer", "no route", "reset"
DROP_LIMIT = 0.4  # seconds after which nobody answers
_ERRORS = {ConnectionRefusedError: REFUSED, TimeoutError: DROPPED, ConnectionResetError: RESET}


class InLab:
    """One lab. Objects are of the namespace default; `who` is "pod NAME", "node NAME" or "client"."""

    def __init__(self, purpose, **spec):
        self.name = f"{purpose}{os.getpid()}"
        self.lab = Lab.up(parse(spec, name=self.name))
        self.spec, self.api = self.lab.spec, self.lab.api

    def down(self):
        self.lab.down()

    def until(self, condition, what, limit=LIMIT):
        """Waits for the condition and gives what it gave."""
        end = time.monotonic() + limit
        while not (found := condition()):
            assert time.monotonic() < end, f"not within {limit:g} s: {what}"
            time.sleep(0.02)
        return found

    # Commands

    def command(self, *arguments, text=""):
        """Standard output of a netlab command that must succeed."""
        done = subprocess.run([sys.executable, "-P", "-m", "netlab", *arguments], input=text, capture_output=True,
                              text=True, check=False, cwd="/",
                              env=os.environ | {"PYTHONPATH": str(ROOT), "NETLAB_NAME": self.name})
        assert done.returncode == 0, f"netlab {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def netlab(self, *arguments):
        """(exit code, stdout, stderr) of a command; not for those that write bytes."""
        out, err = io.TextIOWrapper(io.BytesIO(), write_through=True), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main([*arguments, "--name", self.lab.name] if "--" not in arguments else
                        ["--name", self.lab.name, *arguments])
        return code, out.buffer.getvalue().decode(), err.getvalue()

    def execute(self, target, *argv, code=0):
        """What a program prints in a pod, node or client; it must end with the code."""
        got, out, error = self.lab.run(target, argv, limit=LIMIT)
        assert got == code, f"{argv}: exit code {got}\n{out.decode()}{error.decode()}"
        return out.decode()

    def run(self, target, script, container=""):
        """(exit code, stdout) of a shell script in a pod or node."""
        code, out, _ = self.lab.run(target, ["sh", "-c", script], container=container, limit=LIMIT)
        return code, out.decode()

    # Objects

    def apply(self, text):
        """Applies manifests and waits until every Deployment has its pods and every pod is ready."""
        self.command("apply", "-f", "-", text=text)
        self.until(self.all_ready, "every pod is ready")
        self.lab.settled(LIMIT)

    def all_ready(self):
        deployments = self.objects("deployments", "apps")
        pods = self.objects("pods")
        return all(d.get("status", {}).get("observedGeneration") == d["metadata"]["generation"]
                   and d["spec"]["replicas"] == d["status"].get("updatedReplicas", 0) == d["status"].get("replicas", 0)
                   for d in deployments) and all(is_ready(pod) for pod in pods)

    def create(self, path, manifest):
        return self.api.json("POST", path, manifest)

    def pod(self, name, *containers, labels=None, **spec):
        """A bare pod; a container is a dict, or a shell script for busybox."""
        made = [{"name": f"c{index}", "image": "busybox", "command": ["sh", "-c", c]} if isinstance(c, str) else c
                for index, c in enumerate(containers)]
        return self.create("/api/v1/namespaces/default/pods", {
            "metadata": {"name": name, "labels": labels or {}},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": made} | spec})

    def get(self, path):
        return self.api.get(path)

    def find(self, path):
        try:
            return self.api.get(path)
        except ApiError as error:
            if error.code != 404:
                raise
            return None

    def objects(self, plural, group=""):
        """All objects of a resource."""
        return self.get(f"/apis/{group}/v1/namespaces/default/{plural}" if group else
                        f"/api/v1/namespaces/default/{plural}")["items"]

    def object(self, plural, name):
        """One object of the core group."""
        return self.get(f"/api/v1/namespaces/default/{plural}/{name}")

    def status(self, pod):
        return self.get(f"/api/v1/namespaces/default/pods/{pod}")["status"]

    def state(self, pod, container=0):
        """(`waiting`, `running` or `terminated`, its content) of a container."""
        found = self.status(pod).get("containerStatuses") or [{}] * (container + 1)
        return next(iter((found[container].get("state") or {"none": {}}).items()))

    def events(self, name):
        """(type, reason, message) of one object's events."""
        items = self.get(f"/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3D{name}")["items"]
        return [(item["type"], item["reason"], item["message"]) for item in items]

    # Connections

    def cluster_ip(self, service):
        return self.object("services", service)["spec"]["clusterIP"]

    def node_of(self, who):
        kind, _, name = who.partition(" ")
        return self.object("pods", name)["spec"]["nodeName"] if kind == "pod" else name

    def netns(self, who):
        kind, _, name = who.partition(" ")
        return names.pod_netns(self.name, "default", name) if kind == "pod" else f"{self.name}.{name or kind}"

    def address(self, who, family=""):
        """Its address of the family, or of the lab's first one."""
        kind, _, name = who.partition(" ")
        if kind == "pod":
            found = [one["ip"] for one in self.object("pods", name)["status"]["podIPs"]]
        else:
            found = [str(one) for one in (self.spec.node_ips(name) if kind == "node" else self.spec.client_ips)]
        return next(one for one in found if not family or family_of(one) == family)

    def connect(self, who, address, port, protocol="TCP", *, limit=DROP_LIMIT):
        """An Answer of the built-in echo server, or what happened instead."""
        kind = socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM
        client = netns.visit(self.netns(who), lambda: socket.socket(sockets.family_of(address), kind))
        with client:
            client.settimeout(limit)
            try:
                client.connect((address, port))
                return echo(client)
            except tuple(_ERRORS) as error:
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


def row(text, name):
    """The cells of one line of a printed table."""
    return next(line.split() for line in text.splitlines() if line.startswith(name + " "))

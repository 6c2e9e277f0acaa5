"""A lab for a test module, and what tests ask of it."""

import io
import time
from contextlib import redirect_stderr, redirect_stdout

from netlab.cli.main import main
from netlab.lab.lab import Lab
from netlab.model.lab_settings import parse

LIMIT = 15.0


class InLab:
    """A running lab, its API, and the netlab command in this process."""

    def __init__(self, name, **spec):
        self.lab = Lab.up(parse(spec, name=name))
        self.api = self.lab.api

    def down(self):
        self.lab.down()

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
        from netlab.model.errors import ApiError

        try:
            return self.api.get(path)
        except ApiError as error:
            if error.code != 404:
                raise
            return None

    def status(self, pod):
        return self.get(f"/api/v1/namespaces/default/pods/{pod}")["status"]

    def state(self, pod, container=0):
        """(`waiting`, `running` or `terminated`, its content) of a container."""
        found = self.status(pod).get("containerStatuses") or [{}] * (container + 1)
        return next(iter((found[container].get("state") or {"none": {}}).items()))

    def until(self, what, condition, limit=LIMIT):
        """Polls until the condition gives something true, and gives it."""
        end = time.monotonic() + limit
        while not (value := condition()):
            assert time.monotonic() < end, f"not within {limit:g} s: {what}"
            time.sleep(0.02)
        return value

    def events(self, name):
        """(type, reason, message) of one object's events."""
        items = self.get(f"/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3D{name}")["items"]
        return [(item["type"], item["reason"], item["message"]) for item in items]

    def netlab(self, *arguments):
        """(exit code, stdout, stderr) of a command; not for those that write bytes."""
        out, err = io.TextIOWrapper(io.BytesIO(), write_through=True), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main([*arguments, "--name", self.lab.name] if "--" not in arguments else
                        ["--name", self.lab.name, *arguments])
        return code, out.buffer.getvalue().decode(), err.getvalue()

    def run(self, target, script, container=""):
        """(exit code, stdout) of a shell script in a pod or node."""
        code, out, _ = self.lab.run(target, ["sh", "-c", script], container=container, limit=LIMIT)
        return code, out.decode()


def row(text, name):
    """The cells of one line of a printed table."""
    return next(line.split() for line in text.splitlines() if line.startswith(name + " "))

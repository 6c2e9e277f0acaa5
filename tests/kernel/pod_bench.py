"""A lab init with nothing around it, for the tests of pods; takes everything down again."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from netlab.kernel import process
from netlab.kernel.pod_spec import Mount, Process, Sandbox
from netlab.kernel.pods import Exit, LabInit, Pod
from netlab.topology import names


def until(condition: Callable[[], object], what: str, limit: float = 10.0) -> None:
    """Returns when the condition holds; fails with `what` after `limit` seconds."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, f"not within {limit} s: {what}"
        time.sleep(0.005)


def sweep(lab: str) -> None:
    """Takes down all of that lab."""
    if old := LabInit.adopt(lab):
        old.kill()
    for path in Path("/run/netns").glob(f"{lab}.*"):
        subprocess.run(["ip", "netns", "del", path.name], check=True)
    if names.run_dir(lab).exists():
        shutil.rmtree(names.run_dir(lab))


class Bench:
    def __init__(self, lab: str, *, preload: tuple[str, ...] = ()) -> None:
        self.lab = lab
        self.directory = names.run_dir(lab)
        self.netns: list[str] = []
        self.directory.parent.mkdir(mode=0o755, exist_ok=True)
        sweep(lab)  # what a run that was killed has left
        self.directory.mkdir(mode=0o700)
        try:
            self.init = LabInit.start(lab, preload=preload)
        except BaseException:
            shutil.rmtree(self.directory)
            raise

    def sandbox(self, name: str, *mounts: Mount, bin_directory: str = "", python: bool = False) -> Sandbox:
        netns = f"{self.lab}.{name}"
        if netns not in self.netns:
            subprocess.run(["ip", "netns", "add", netns], check=True)
            subprocess.run(["ip", "-n", netns, "link", "set", "lo", "up"], check=True)
            self.netns.append(netns)
        directory = self.directory / "pods" / name
        directory.mkdir(parents=True, exist_ok=True)
        return Sandbox(name, f"/run/netns/{netns}", name, str(directory), mounts, bin_directory, python)

    def pod(self, name: str, *mounts: Mount, bin_directory: str = "", python: bool = False) -> Pod:
        return self.init.create(self.sandbox(name, *mounts, bin_directory=bin_directory, python=python))

    def close(self) -> None:
        sweep(self.lab)


def log_of(pod: Pod, name: str) -> Path:
    return Path(pod.directory) / f"{name}.log"


def start(pod: Pod, name: str, *argv: str, entry: str = "", env: dict[str, str] | None = None,
          mounts: tuple[Mount, ...] = (), cwd: str = "/") -> int:
    """The machine's pid of a process that logs to `log_of`."""
    return pod.run(Process(name, argv, entry, tuple((env or {}).items()), cwd, str(log_of(pod, name)), mounts))


def ended(pod: Pod, name: str, limit: float = 10.0) -> Exit:
    """How the process ended, found by waiting on the pod's descriptor."""
    end = time.monotonic() + limit
    pod.fileno()
    while name not in (exits := pod.exits()):
        assert select.select([pod], [], [], end - time.monotonic())[0], f"{name} goes on after {limit} s"
    return exits[name]


def finish(pod: Pod, name: str, *argv: str, entry: str = "", env: dict[str, str] | None = None,
           mounts: tuple[Mount, ...] = (), cwd: str = "/") -> tuple[int, str]:
    """(exit code, log) of a process that ran to its end."""
    start(pod, name, *argv, entry=entry, env=env, mounts=mounts, cwd=cwd)
    return ended(pod, name).code, log_of(pod, name).read_text()


def shell(pod: Pod, script: str, *, container: str = "", stdin: bytes = b"", limit: float | None = 10.0,
          ) -> tuple[int, str]:
    """(exit code, what it wrote to either descriptor) of an exec."""
    reader, writer = os.pipe()
    source = os.memfd_create("stdin")
    os.write(source, stdin)
    os.lseek(source, 0, os.SEEK_SET)
    try:
        code = pod.exec(["sh", "-c", script], stdin=source, stdout=writer, stderr=writer, container=container,
                        limit=limit)
    finally:
        os.close(writer)
        os.close(source)
    with os.fdopen(reader) as file:
        return code, file.read()


def read_until(descriptor: int, text: bytes, limit: float = 10.0) -> bytes:
    """What comes from a terminal up to that text; fails after `limit` seconds."""
    end, seen = time.monotonic() + limit, b""
    while text not in seen:
        assert select.select([descriptor], [], [], end - time.monotonic())[0], f"{text!r} is not in {seen!r}"
        seen += os.read(descriptor, 1000)
    return seen


def default_capabilities() -> str:
    """The mask of the default set, less what this process itself may not have, as /proc/PID/status prints it."""
    status = Path("/proc/self/status").read_text().splitlines()
    own = next(line.split()[1] for line in status if line.startswith("CapBnd"))
    return f"{0xA80425FB & int(own, 16):016x}"


def is_gone(pid: int) -> bool:
    return process.gone(pid)

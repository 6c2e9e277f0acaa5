"""A runtime, a network and a recorder that behave as the real ones, without the kernel."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Exit:
    code: int
    signal: int
    finished: float


class FakePod:
    """Handles on one pod share `state`; each has a descriptor of its own, readable until `exits` is called."""

    def __init__(self, state):
        self.state = state
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        state.handles.append(self)

    def __del__(self):
        os.close(self._read)
        os.close(self._write)

    def notify(self):
        os.write(self._write, b"x")

    def fileno(self):
        return self._read

    def run(self, process):
        if not self.state.alive:
            raise ConnectionError("the pod's init is gone")
        if process.name in self.state.processes:
            raise OSError(17, f"process name used twice: {process.name}")
        if not process.entry and process.argv[0] in self.state.runtime.absent:
            raise FileNotFoundError(2, f'exec: "{process.argv[0]}": executable file not found in $PATH')
        self.state.processes[process.name] = process
        Path(process.log).write_text(f"{process.name} started\n")
        code = self.state.runtime.ends_at_once.get(process.name.rpartition(".")[0])
        if code is not None:
            self.state.end(process.name, code)
        return 1000 + len(self.state.processes)

    def exits(self):
        try:
            os.read(self._read, 4096)
        except BlockingIOError:
            pass
        return dict(self.state.exits)

    def running(self):
        if not self.state.alive:
            raise ConnectionError("the pod's init is gone")
        return frozenset(self.state.processes) - frozenset(self.state.exits)

    def signal(self, name, number):
        self.state.signals.append((name, number))
        if name in self.state.exits:
            return
        if number == signal.SIGKILL or name.rpartition(".")[0] not in self.state.runtime.stubborn:
            self.state.end(name, 137 if number == signal.SIGKILL else 0, 9 if number == signal.SIGKILL else 0)

    def exec(self, argv, *, stdin, stdout, stderr, env=None, container="", tty=False, limit=None):
        code, text = self.state.runtime.exec_answers.get(tuple(argv), (0, ""))
        self.state.runtime.execs.append((container, tuple(argv)))
        os.write(stdout, text.encode())
        return code

    def kill(self):
        self.state.die()


class PodState:
    def __init__(self, runtime, sandbox):
        self.runtime, self.sandbox = runtime, sandbox
        self.processes, self.exits, self.signals, self.handles = {}, {}, [], []
        self.alive = True

    def end(self, name, code, number=0):
        self.exits[name] = Exit(code, number, time.time())
        self._notify()

    def die(self):
        if self.alive:
            self.alive = False
            self._notify()

    def _notify(self):
        for handle in self.handles:
            handle.notify()


class FakeRuntime:
    def __init__(self):
        self.pods = {}  # directory -> PodState
        self.created = []
        self.absent, self.stubborn, self.ends_at_once, self.exec_answers, self.execs = set(), set(), {}, {}, []
        self.refuse = ""

    def create(self, sandbox):
        if self.refuse:
            raise OSError(1, self.refuse)
        assert Path(sandbox.directory).is_dir()
        assert all(Path(mount.source).exists() for mount in sandbox.mounts)
        old = self.pods.get(sandbox.directory)
        assert old is None or not old.alive, "two sandboxes of one pod"
        state = PodState(self, sandbox)
        if old:
            state.exits = dict(old.exits)  # they are files
            state.processes = {name: old.processes[name] for name in old.exits}
        self.pods[sandbox.directory] = state
        self.created.append(sandbox)
        return FakePod(state)

    def attach(self, directory):
        state = self.pods.get(directory)
        return FakePod(state) if state and state.alive else None

    def of(self, uid):
        return next(state for directory, state in self.pods.items() if directory.endswith(uid))


class FakeNetwork:
    def __init__(self):
        self.attached, self.log = {}, []

    def attach(self, *, node, netns, addresses):
        self.attached[netns] = (node, *map(str, addresses))
        self.log.append(("attach", netns))

    def detach(self, netns):
        self.attached.pop(netns, None)
        self.log.append(("detach", netns))

    def write_resolv_conf(self, netns, text):
        assert netns in self.attached


class FakeRecorder:
    def __init__(self):
        self.events = []

    def event(self, obj, type, reason, message):
        assert obj["metadata"]["uid"]
        self.events.append((type, reason, message))

    def reasons(self):
        return [reason for _, reason, _ in self.events]

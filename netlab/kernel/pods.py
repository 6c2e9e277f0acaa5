"""The door to the lab init and the pod inits: sandboxes, processes, exit codes, exec.

The lab init is PID 1 of the lab's PID namespace; it forks a pod init per pod. Both outlive the daemon. All calls
here block for milliseconds at most, except `Pod.exec`. Any thread of any root process may make them.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from netlab.kernel import container, exit_files, packets, process, process_title, syscalls
from netlab.kernel.exec_session import ExecSession
from netlab.kernel.pod_spec import Process, Sandbox
from netlab.topology.names import run_dir

RECORD = "init.json"
START_LIMIT = 30.0  # seconds; the lab init loads modules


@dataclass(frozen=True)
class Exit:
    """How a process ended: its exit code (128+n after signal n), and the Unix time at which it did."""

    code: int
    signal: int
    finished: float


class LabInit:
    """The lab's init process."""

    def __init__(self, directory: Path, pid: int, started: int) -> None:
        self.directory, self.pid, self.started = directory, pid, started

    @classmethod
    def start(cls, lab: str, *, preload: Sequence[str] = ()) -> LabInit:
        """Starts it, with those modules loaded for workloads that run in forks; returns when it answers.

        The run directory exists. OSError: one runs already, or a module cannot be loaded (see init.log there).
        """
        directory = run_dir(lab)
        if running := cls.adopt(lab):
            raise FileExistsError(17, f"the lab init of {lab} runs already, as process {running.pid}")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, open(directory / "init.log", "ab") as log:
            ours.settimeout(START_LIMIT)
            with theirs:
                starter = subprocess.Popen(_command(directory, theirs.fileno(), preload), cwd="/", env=_environment(),
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                           pass_fds=[theirs.fileno()])
            try:
                answer, _ = packets.receive(ours)
                packets.raise_error(answer)
                process.write_record(directory / RECORD, answer["pid"])
                packets.send(ours, {})  # until now it waits, and ends with us
                packets.receive(ours)
            except EOFError:
                raise OSError(5, f"the lab init of {lab} ended when it started; see {log.name}") from None
            finally:
                ours.close()
                starter.kill()  # it has ended, or hangs in a module; the init that nobody releases ends by itself
                starter.wait()
        return cls(directory, answer["pid"], process.start_time(answer["pid"]))

    @classmethod
    def adopt(cls, lab: str) -> LabInit | None:
        """The lab init that runs already (after the death of a daemon), or None."""
        directory = run_dir(lab)
        record = process.read_record(directory / RECORD)
        return cls(directory, *record) if record else None

    def create(self, sandbox: Sandbox) -> Pod:
        """Starts a pod's namespaces and init; its directory must exist. OSError says which step failed."""
        packets.request(str(self.directory), {"op": "create", "sandbox": asdict(sandbox)})
        if pod := Pod.attach(sandbox.directory):
            return pod
        raise ConnectionResetError(f"the init of pod {sandbox.hostname} ended at once")

    def kill(self) -> None:
        """Ends every process of the lab for certain, and waits for it. TimeoutError if they do not go in 10 s."""
        if not process.kill_namespace(self.pid, self.started):
            raise TimeoutError(f"processes of the lab init {self.pid} are still there, 10 s after SIGKILL")


def _command(directory: Path, descriptor: int, preload: Sequence[str]) -> list[str]:
    root = str(Path(__file__).resolve().parents[2])
    code = (f"import sys; sys.path.insert(0, {root!r}); from netlab.kernel.lab_init import main; main(sys.argv[1:])")
    # The last argument is room for the titles of its forks.
    return [sys.executable, "-s", "-E", "-P", "-c", code, str(directory), str(descriptor), ",".join(preload),
            " " * process_title.ROOM]


def _environment() -> dict[str, str]:
    return {"PATH": container.PATH, "LANG": "C.UTF-8", "HOME": "/"}


class Pod:
    """A pod's init, reached by the socket in its directory; the daemon and `netlab exec` both use it."""

    def __init__(self, directory: str, pid: int, started: int) -> None:
        self.directory, self.pid, self.started = directory, pid, started
        self._events: socket.socket | None = None
        self._lock = threading.Lock()

    @classmethod
    def attach(cls, directory: str) -> Pod | None:
        """The pod whose directory that is, or None when its init is gone."""
        record = process.read_record(Path(directory) / RECORD)
        if record is None:
            return None
        try:
            with packets.connect(directory, timeout=5.0) as connection:
                if packets.peer(connection)[0] != record[0]:
                    return None
        except (ConnectionError, FileNotFoundError):
            return None
        return cls(directory, *record)

    def fileno(self) -> int:
        """Becomes readable when a process has ended or the init died: then call `exits`.

        After the death it stays readable for ever: stop watching it then (`alive` tells).
        """
        with self._lock:
            if self._events is None:
                self._events = packets.connect(self.directory, timeout=5.0)
                packets.send(self._events, {"op": "watch"})
                self._events.setblocking(False)
            return self._events.fileno()

    def close(self) -> None:
        """Closes what `fileno` gave; the pod goes on."""
        with self._lock:
            if self._events:
                self._events.close()
                self._events = None

    def alive(self) -> bool:
        """Whether the init runs."""
        return process.read_record(Path(self.directory) / RECORD) == (self.pid, self.started)

    def run(self, process: Process) -> int:
        """Starts a process; gives its pid on the machine. OSError when the program cannot be executed."""
        descriptors: list[int] = []
        try:
            log = process.log or os.devnull
            descriptors.append(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640))
            descriptors += [syscalls.open_tree(mount.source) for mount in process.mounts]
            _, received = packets.request(self.directory, {
                "op": "run", "name": process.name, "argv": list(process.argv), "entry": process.entry,
                "env": dict(process.env), "cwd": process.cwd,
                "mounts": [(mount.target, mount.read_only) for mount in process.mounts]}, descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return _number(received[0])

    def exits(self) -> Mapping[str, Exit]:
        """All processes that have ended, by name. Survives everything: read from files in the pod's directory."""
        with self._lock:
            if self._events:
                try:
                    while self._events.recv(4096):
                        pass
                except OSError:
                    pass  # nothing more is there
        return {name: Exit(**facts) for name, facts in exit_files.read_all(self.directory).items()}

    def running(self) -> frozenset[str]:
        """Names of the processes that run. ConnectionError when the init is gone."""
        answer, _ = packets.request(self.directory, {"op": "running"})
        return frozenset(answer["names"])

    def signal(self, name: str, number: int) -> None:
        """Signals one process (its whole process group for SIGKILL); one that has ended is fine."""
        packets.request(self.directory, {"op": "signal", "name": name, "number": int(number)})

    def open_exec(self, argv: Sequence[str], *, stdio: tuple[int, int, int] | None,
                  env: Mapping[str, str] | None = None, container: str = "", cwd: str = "/",
                  size: tuple[int, int] = (24, 80)) -> ExecSession:
        """A program started in the pod with those descriptors, or on a pseudo-terminal of that (rows, columns).

        OSError when it cannot be executed; ESRCH when nothing of the container runs. See `exec`.
        """
        connection = packets.connect(self.directory, timeout=30.0)
        try:
            packets.send(connection, {"op": "exec", "argv": list(argv), "env": dict(env or {}), "container": container,
                                      "cwd": cwd, "tty": None if stdio else list(size)}, stdio or ())
            answer, received = packets.receive(connection)
            packets.raise_error(answer)
        except EOFError:
            connection.close()
            raise ConnectionResetError(f"the init of the pod in {self.directory} is gone") from None
        except BaseException:
            connection.close()
            raise
        pid = _number(received.pop(0))
        return ExecSession(connection, pid, received[0] if received else -1)

    def exec(self, argv: Sequence[str], *, stdin: int, stdout: int, stderr: int, env: Mapping[str, str] | None = None,
             container: str = "", tty: bool = False, limit: float | None = None) -> int:
        """Runs a program in the pod with these descriptors; blocks; gives its exit code, 124 at `limit` seconds.

        It sees what the newest process of `container` (a name without its `.N`) sees: mounts, environment. With `tty`
        a pseudo-terminal is made in the pod and the three descriptors are relayed to it, window size included.
        When the caller dies, the program is killed. A program that cannot be executed gives 127 (there is none) or
        126, with a message on `stderr`; a container of which nothing runs is a ProcessLookupError.
        """
        from netlab.kernel import pty  # termios and tty, only where they are used
        size = pty.window_size(stdin, stdout) if tty else (24, 80)
        try:
            session = self.open_exec(argv, stdio=None if tty else (stdin, stdout, stderr), env=env,
                                     container=container, size=size)
        except (ProcessLookupError, ConnectionError):
            raise
        except OSError as error:
            os.write(stderr, f"{error.strerror}\n".encode())
            return 127 if isinstance(error, FileNotFoundError) else 126
        with session:
            return pty.relay(session, stdin, stdout, limit=limit) if tty else session.wait(limit)

    def kill(self) -> None:
        """Ends the pod's init and everything in it."""
        self.close()
        if not process.kill_namespace(self.pid, self.started):
            raise TimeoutError(f"processes of the pod init {self.pid} are still there, 10 s after SIGKILL")


def _number(pidfd: int) -> int:
    try:
        return process.number(pidfd)
    finally:
        os.close(pidfd)

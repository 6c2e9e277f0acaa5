"""PID 1 of a pod: owns its namespaces, starts and reaps its processes, writes their exit codes, serves exec.

It is a fork of the lab init, single-threaded, and needs no daemon. Its socket and exit files are in the pod's
directory, which the pod itself cannot see.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import signal
import socket
import struct
import termios
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from netlab.kernel import container, members, packets, pod_root, process_title
from netlab.kernel.exit_files import ExitWriter
from netlab.kernel.pod_spec import Sandbox

RETRY = 1.0  # seconds until an exit file that could not be written is tried again


@dataclass(frozen=True)
class Running:
    """A process of a container (`name`), or of an exec (`connection`)."""

    pid: int
    namespace: int  # inode of its mount namespace, by which a container's processes are known
    env: Mapping[str, str]
    name: str = ""
    connection: socket.socket | None = None

    @property
    def container(self) -> str:
        """The name without `.N`."""
        base, _, count = self.name.rpartition(".")
        return base if base and count.isdigit() else self.name


def main(sandbox: Sandbox, connection: socket.socket, release: int) -> NoReturn:
    """Becomes the pod's init once a byte comes from `release`; answers on the connection that asked for the pod."""
    try:
        released = os.read(release, 1)
        os.close(release)
        if released:
            _run(sandbox, connection)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _run(sandbox: Sandbox, connection: socket.socket) -> None:
    try:
        directory = os.open(sandbox.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        listener = packets.listen(directory)
        pod_root.enter(sandbox)
        socket.sethostname(sandbox.hostname)
        process_title.write([f"netlab: pod init {sandbox.hostname}"])
        null = os.open("/dev/null", os.O_RDWR)  # the pod's node: nobody can change the machine's through it
        os.dup2(null, 0)
        os.close(null)
    except Exception as error:
        packets.send(connection, packets.refusal(error))
        raise
    init = PodInit(sandbox, directory, listener)
    packets.send(connection, {})
    connection.close()
    init.serve()


class PodInit:
    """The loop: requests, exits, callers that hang up."""

    def __init__(self, sandbox: Sandbox, directory: int, listener: socket.socket) -> None:
        self.sandbox, self.listener, self.exits = sandbox, listener, ExitWriter(directory)
        self.builtins = dict(sandbox.builtins)
        self.running: dict[int, Running] = {}
        self.watchers: list[socket.socket] = []
        self.poll = select.poll()
        self.ready: dict[int, Callable[[], None]] = {}
        self.wake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._on(self.wake, self._reap)
        self._on(listener.fileno(), self._accept)
        self.operations: dict[str, Callable[[dict[str, Any], list[int], socket.socket], bool]] = {
            "run": self._start, "exec": self._exec, "running": self._names, "signal": self._signal,
            "watch": self._watch}

    def serve(self) -> NoReturn:
        """For ever: only SIGKILL from outside ends it."""
        while True:
            ready = self.poll.poll(RETRY * 1000 if self.exits.unwritten else None)
            for name in self.exits.retry():
                self._tell(name)
            # Those who have died first: what ended is then never counted among what runs.
            for descriptor in sorted((fd for fd, _ in ready), key=lambda fd: fd != self.wake):
                if call := self.ready.get(descriptor):
                    try:
                        call()
                    except Exception:
                        traceback.print_exc()

    def _on(self, descriptor: int, call: Callable[[], None]) -> None:
        self.ready[descriptor] = call
        self.poll.register(descriptor, select.POLLIN)

    def _close(self, connection: socket.socket) -> None:
        self.poll.unregister(connection.fileno())
        del self.ready[connection.fileno()]
        connection.close()

    def _accept(self) -> None:
        if connection := packets.accept(self.listener):
            self._on(connection.fileno(), lambda: self._request(connection))

    def _request(self, connection: socket.socket) -> None:
        descriptors: list[int] = []
        keep = False
        try:
            packet, descriptors = packets.receive(connection)
            keep = self.operations[packet["op"]](packet, descriptors, connection)
        except BlockingIOError:
            keep = True  # the event was of a connection that had the same number and is closed
        except (EOFError, BrokenPipeError, ConnectionResetError):
            pass  # the caller is gone
        except Exception as error:
            if not isinstance(error, OSError):
                traceback.print_exc()
            packets.send(connection, packets.refusal(error))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
            if not keep:
                self._close(connection)

    # Requests. Each gives whether the connection goes on.

    def _start(self, packet: dict[str, Any], descriptors: list[int], connection: socket.socket) -> bool:
        name = packet["name"]
        if "/" in name or not name:
            raise OSError(errno.EINVAL, f"no name for a process: {name!r}")
        if any(process.name == name for process in self.running.values()) or self.exits.has(name):
            raise OSError(errno.EEXIST, f"a process named {name} has been started already")
        log = descriptors.pop(0)
        trees = [(descriptors.pop(0), target, read_only) for target, read_only in packet["mounts"]]
        env = container.environment(packet["env"], self.sandbox.bin_directory)
        program = container.Program(packet["argv"], env, (0, log, log), entry=packet["entry"], cwd=packet["cwd"],
                                    trees=trees)
        try:
            pid, namespace = container.start(program)
        finally:
            for descriptor in (log, *(tree for tree, _, _ in trees)):
                os.close(descriptor)
        self.running[pid] = Running(pid, namespace, env, name)
        self._answer_with_pid(connection, pid)
        return False

    def _exec(self, packet: dict[str, Any], descriptors: list[int], connection: socket.socket) -> bool:
        process = self._newest(packet["container"])
        env = {**(process.env if process else container.environment({}, self.sandbox.bin_directory)), **packet["env"]}
        master = -1
        if packet["tty"]:
            master, slave = os.openpty()
            descriptors.append(slave)
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *packet["tty"], 0, 0))
            stdio = (slave, slave, slave)
        else:
            stdio = (descriptors[0], descriptors[1], descriptors[2])
        try:
            pid, namespace = container.start(container.Program(
                packet["argv"], env, stdio, cwd=packet["cwd"], join=process.pid if process else 0,
                tty=master >= 0, entry=self.builtins.get(packet["argv"][0].rpartition("/")[2], "")))
        except BaseException:
            if master >= 0:
                os.close(master)
            raise
        self.running[pid] = Running(pid, namespace, env, connection=connection)
        self._on(connection.fileno(), lambda: self._hung_up(pid, connection))
        try:
            self._answer_with_pid(connection, pid, *([master] if master >= 0 else []))
        except OSError:
            pass  # the caller is gone, which `_hung_up` sees
        finally:
            if master >= 0:
                os.close(master)
        return True

    def _names(self, packet: dict[str, Any], descriptors: list[int], connection: socket.socket) -> bool:
        self._reap()
        packets.send(connection, {"names": [p.name for p in self.running.values() if p.name]})
        return False

    def _signal(self, packet: dict[str, Any], descriptors: list[int], connection: socket.socket) -> bool:
        for process in self.running.values():
            if process.name == packet["name"]:
                send = os.killpg if packet["number"] == signal.SIGKILL else os.kill
                send(process.pid, packet["number"])  # not reaped yet, so the number is still its own
        packets.send(connection, {})
        return False

    def _watch(self, packet: dict[str, Any], descriptors: list[int], connection: socket.socket) -> bool:
        self.watchers.append(connection)
        self._on(connection.fileno(), lambda: self._unwatch(connection))
        packets.send(connection, {})  # a first look, for what ended before
        return True

    def _unwatch(self, connection: socket.socket) -> None:
        self.watchers.remove(connection)
        self._close(connection)

    def _answer_with_pid(self, connection: socket.socket, pid: int, *descriptors: int) -> None:
        # Our number for it says nothing outside; a pidfd does, and is never somebody else's.
        pidfd = os.pidfd_open(pid)
        try:
            packets.send(connection, {}, [pidfd, *descriptors])
        finally:
            os.close(pidfd)

    def _newest(self, name: str) -> Running | None:
        """The newest process of the container, or of the first one; None in a pod where nothing runs."""
        processes = [process for process in self.running.values() if process.name]
        wanted = name or (processes[0].container if processes else "")
        found = [process for process in processes if process.container == wanted]
        if name and not found:
            raise OSError(errno.ESRCH, f'container not found ("{name}")')
        return found[-1] if found else None

    def _hung_up(self, pid: int, connection: socket.socket) -> None:
        try:
            packet, _ = packets.receive(connection)
        except BlockingIOError:
            pass
        except (OSError, EOFError):
            members.kill_session(pid)
            # The connection stays open for writing: who has only shut it down hears of the exit.
            self.poll.unregister(connection.fileno())
        else:
            os.killpg(pid, packet["signal"])  # not reaped yet, so the number is still its own

    # Exits

    def _reap(self) -> None:
        try:
            os.read(self.wake, 4096)
        except BlockingIOError:
            pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if process := self.running.pop(pid, None):
                self._ended_now(process, os.waitstatus_to_exitcode(status))

    def _ended_now(self, process: Running, result: int) -> None:
        code, number = (result, 0) if result >= 0 else (128 - result, -result)
        if process.connection:
            try:
                packets.send(process.connection, {"code": code})
            except OSError:
                pass  # the caller is gone
            try:
                self.poll.unregister(process.connection.fileno())
            except KeyError:
                pass  # it hung up
            del self.ready[process.connection.fileno()]
            process.connection.close()
            return
        # A container ends as a whole, with everything that it has left running.
        if all(other.namespace != process.namespace for other in self.running.values() if other.name):
            members.kill_mount_namespace(process.namespace)
        if self.exits.write(process.name, {"code": code, "signal": number, "finished": time.time()}):
            self._tell(process.name)

    def _tell(self, name: str) -> None:
        for watcher in self.watchers:
            try:
                packets.send(watcher, {"exit": name})
            except OSError:
                pass  # full, so it is readable; or gone, which `_unwatch` sees

"""PID 1 of the lab's PID namespace: forks a pod init per pod, reaps, survives the daemon; its death ends everything.

It stays single-threaded and small. Modules of built-in workloads are loaded before it answers, so that their forks
share them and need nothing of the machine's files.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from netlab.kernel import packets, pod_etc, pod_init, process, process_title, syscalls
from netlab.kernel.pod_spec import Mount, Sandbox


def main(arguments: Sequence[str]) -> None:
    """Starts it. Arguments: run directory, descriptor of a socket to the starter, modules to load, room for a title.

    On the socket: {"pid"} or a refusal; then it waits for a packet and answers with one when its socket listens.
    When the starter is gone before that, so is the init.
    """
    directory, descriptor, preload = arguments[0], int(arguments[1]), arguments[2]
    starter = socket.socket(fileno=descriptor)
    try:
        for name in filter(None, preload.split(",")):
            _load(name)
        pod_etc.secrets("/etc")  # for all its forks
        process_title.prepare()
        syscalls.unshare(syscalls.CLONE_NEWPID)
        pid = os.fork()
    except Exception as error:
        packets.send(starter, packets.refusal(error))
        sys.exit(1)
    if pid == 0:
        _init(directory, starter)
    pidfd = os.pidfd_open(pid)
    packets.send(starter, {"pid": process.number(pidfd)})
    os._exit(0)


def _load(name: str) -> None:
    try:
        importlib.import_module(name)
    except Exception as error:
        traceback.print_exc()
        raise OSError(2, f"the workload module {name} cannot be loaded: {type(error).__name__}: {error}") from None


def _init(directory: str, starter: socket.socket) -> NoReturn:
    try:
        try:
            packets.receive(starter)  # the record is written now
        except (EOFError, OSError):
            os._exit(1)
        os.setsid()
        os.umask(0o077)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGXFSZ}:
            signal.signal(number, signal.SIG_DFL)  # which PID 1 ignores
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
        _raise_limits()
        process_title.write([f"netlab: lab init {Path(directory).name}"])
        gc.collect()
        gc.freeze()
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        listener = packets.listen(handle)
        os.close(handle)
        packets.send(starter, {})
        starter.close()
        _serve(listener)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _raise_limits() -> None:
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("-998")  # what the kubelet gives a pod's sandbox
    except OSError:
        pass  # not allowed in every container
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        pass


def _serve(listener: socket.socket) -> NoReturn:
    wake, wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    poll = select.poll()
    poll.register(wake, select.POLLIN)
    poll.register(listener, select.POLLIN)
    waiting: dict[int, socket.socket] = {}
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == wake:
                _reap(wake)
            elif descriptor == listener.fileno():
                if connection := packets.accept(listener):
                    waiting[connection.fileno()] = connection
                    poll.register(connection, select.POLLIN)
            else:
                poll.unregister(descriptor)
                with waiting.pop(descriptor) as connection:
                    _answer(connection)


def _reap(wake: int) -> None:
    try:
        os.read(wake, 4096)
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except (BlockingIOError, ChildProcessError):
        pass


def _answer(connection: socket.socket) -> None:
    try:
        packet, _ = packets.receive(connection)
        if packet["op"] == "create":
            _create(sandbox_from(packet["sandbox"]), connection)
        else:
            packets.send(connection, {})
    except EOFError:
        pass
    except Exception as error:
        traceback.print_exc()
        try:
            packets.send(connection, packets.refusal(error))
        except OSError:
            pass  # the caller is gone


def sandbox_from(fields: dict[str, Any]) -> Sandbox:
    """The sandbox that `dataclasses.asdict` made these fields of."""
    return Sandbox(**{**fields, "mounts": tuple(Mount(**mount) for mount in fields["mounts"]),
                      "builtins": tuple((name, entry) for name, entry in fields["builtins"])})


def _create(sandbox: Sandbox, connection: socket.socket) -> None:
    """Forks the pod init, which answers on the connection when it is ready. Writes its record before it runs."""
    started, started_writer = os.pipe()
    release, release_writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _carry(sandbox, connection, started_writer, release)
    os.close(started_writer)
    os.close(release)
    try:
        with os.fdopen(started) as file:
            number = file.read()
        os.waitpid(pid, 0)
        if not number:
            return  # the child has said why
        pidfd = os.pidfd_open(int(number))
        try:
            process.write_record(Path(sandbox.directory) / "init.json", process.number(pidfd))
        finally:
            os.close(pidfd)
        os.write(release_writer, b"x")
    finally:
        os.close(release_writer)


def _carry(sandbox: Sandbox, connection: socket.socket, started: int, release: int) -> NoReturn:
    """Enters the pod's namespaces and forks its init; a process is in a new PID namespace by birth only."""
    try:
        signal.set_wakeup_fd(-1)
        keep = {0, 1, 2, connection.fileno(), started, release}
        for name in os.listdir("/proc/self/fd"):
            if int(name) not in keep:
                try:
                    os.close(int(name))
                except OSError:
                    pass  # the one that listed them
        connection.setblocking(True)
        try:
            syscalls.setns(sandbox.netns, syscalls.CLONE_NEWNET)
            syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC
                             | syscalls.CLONE_NEWPID)
            pid = os.fork()
        except Exception as error:
            packets.send(connection, packets.refusal(error))
            os._exit(1)
        if pid == 0:
            os.close(started)
            pod_init.main(sandbox, connection, release)
        os.write(started, json.dumps(pid).encode())
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)
